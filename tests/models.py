"""Every model of the library and the wrappers' compositions, each with parameters and an input that makes it work."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F


class Case(NamedTuple):
    """A model, and what one runs it with."""

    neuron: F.Neuron
    params: Any

    @property
    def name(self) -> str:
        return self.neuron.name

    def inputs(self, steps: int = 60, shape: tuple[int, ...] = (2, 5), dtype: Any = np.float32, strength: float = 1.0) -> jax.Array:
        """A random drive, the same every time, under which the model spikes now and then: `(T, ..., *ports, N)`."""
        full = (steps, *shape[:-1], *self.neuron.ports, *shape[-1:])
        noise = np.random.default_rng(0).normal(size=full)
        return jnp.asarray(strength * (0.35 + 0.5 * noise if jumps(self) else 1.5 + 3.0 * noise), dtype)


def jumps(case: Case) -> bool:
    """Whether an input is a jump of a synaptic current (else it is a current held over the step)."""
    return bool(case.neuron.ports) or "tau_syn" in F.core(case.params)._fields or "delta" in case.name


def _weights(n: int, ports: tuple[int, ...] = ()) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(*ports, n, n), scale=0.5).astype(np.float32)


def _composed(neuron: F.Neuron, n: int = 5) -> Case:
    """Default parameters, with weights where the model asks for some."""

    def fill(params: Any, ports: tuple[int, ...]) -> Any:
        if "neuron" not in params._fields:
            return params
        params = params._replace(neuron=fill(params.neuron, () if "tau_syn" in params._fields else ports))
        return params._replace(weight=_weights(n, ports)) if "weight" in params._fields else params

    return Case(neuron, fill(neuron.default(), neuron.ports))


MODELS = [Case(neuron, neuron.default()) for neuron in F.MODELS.values() if neuron.phases is not None]

COMPOSITIONS = [
    _composed(neuron)
    for neuron in (
        F.refractory(F.leaky, F.gate_input),
        F.refractory(F.leaky, F.clamp_to_reset),
        F.refractory(F.adaptive_leaky, F.gate_input),
        F.recurrent(F.lif),
        F.recurrent(F.adaptive_leaky),
        F.recurrent(F.refractory(F.lif)),
        F.refractory(F.recurrent(F.lif)),
        F.synapses(F.leaky, 2),
        F.synapses(F.lif, 3),
        F.refractory(F.synapses(F.leaky, 2), F.gate_input),
        F.synapses(F.refractory(F.leaky, F.gate_input), 2),
        F.recurrent(F.synapses(F.leaky, 2)),
        F.synapses(F.recurrent(F.lif), 2),
        F.refractory(F.synapses(F.integrate_and_fire, 2)),
        F.refractory(F.adaptive_current_leaky),
        F.refractory(F.delta(F.leaky)),
        F.injected(F.refractory(F.lif)),
        F.membrane(F.lif),
        F.membrane(F.adaptive_leaky),
        F.membrane(F.synapses(F.integrate_and_fire, 2)),
    )
]

ALL = MODELS + COMPOSITIONS
SPIKING = [case for case in ALL if case.neuron.spiking]

#: Compositions in which every wrapper and every rule occurs, alone and around another; the contract tests run the models and
#: these. All other compositions are `long`.
COVERING = {
    "refractory(leaky, gate_input)",
    "refractory(leaky, clamp_to_reset)",
    "recurrent(refractory(lif))",
    "synapses(leaky, 2)",
    "synapses(recurrent(lif), 2)",
    "refractory(delta(leaky))",
    "injected(refractory(lif))",
    "membrane(lif)",
}


def parameters_of(cases: list[Case]) -> list[Any]:
    """The cases as parameters of a test, with the marker `long` where another covers them."""
    covering = {case.name for case in MODELS} | COVERING
    return [pytest.param(case, id=case.name, marks=() if case.name in covering else pytest.mark.long) for case in cases]


def name_of(case: Case) -> str:
    return case.name


def differentiable(params: Any) -> Any:
    """The same Params with every number as a float array, as `jax.grad` wants them."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)
