"""Layers of integrate-and-fire neurons: continuous currents or spikes in, spikes out.

A layer is matrices of weights around a soma, whose neuron is a functional model in wrappers: refractory, with a synapse for
what comes in and one for what comes back where they are wanted, and with a place for injected currents.
"""

from __future__ import annotations

from typing import Any, Self

from .. import functional as F
from ..functional._check import check_record
from ._fields import values_of
from ._iaf_door import check_matrix, check_membrane
from ._iaf_layer import IAFLayer
from ._iaf_make import Arguments

_NEURON = F.refractory(F.leaky)


class FeedForwardIAF(IAFLayer):
    """Weights into neurons that integrate and fire.

        tau_mem dv/dt = v_leak - v + resistance * (i + bias),  i = inputs @ weight            spike where v > v_th, v -> v_reset

    With `tau_syn` the inputs are spikes: `i` jumps by `spikes @ weight` and decays, `tau_syn di/dt = -i`. With `delay`, each of
    them arrives later. With `sigma`, the membrane fluctuates (`F.membrane_noise`).

    Args:
        weight: `(in, out)`, A per unit of the input; with `tau_syn` the jump that a spike makes, A.
        neuron: the neurons under a current. `F.refractory(F.integrate_and_fire)` has a constant leak, its `bias`.
        tau_syn: time constant of the synapses, s; one, or one per neuron. `None`: the input is a current.
        delay: s; one, or one per weight, `(in, out)`. A delay takes `round(delay / dt)` steps, halves to the even number.
        sigma: stationary standard deviation of the membrane without threshold, V; one, or one per neuron. `None`: no noise.
        key: of `jax.random.key`, for initialisers among the parameters.
        dtype: of weights and parameters; by default that of `weight`.
        **fields: parameters of `neuron`, and the choices `spike`, `reset`, `integrator`; for the default neuron `tau_mem`,
            `resistance`, `v_leak`, `v_th`, `v_reset`, `bias`, `t_ref`. Each a number, an array with one value per neuron, or an
            initialiser, as in a config.

    Attributes:
        weight: `(in, out)`.
        soma: the neurons, with their parameters and choices.
        delay: `Delays`, or `None`.
        noise: `Noise(sigma)`, or `None`.

    Raises:
        ParameterError, ShapeError, DTypeError, ConfigError: an argument is not what is said above.

    >>> import jax.numpy as jnp
    >>> from snnjax import somas
    >>> layer = somas.FeedForwardIAF(jnp.array([[1.0, 2.0]]), tau_mem=10e-3, t_ref=0.0)
    >>> state, spikes = layer.simulate(jnp.full((1000, 1), 1.5), dt=1e-4)
    >>> spikes.sum(axis=0).tolist()
    [9.0, 24.0]
    """

    def __init__(
        self,
        weight: Any,
        *,
        neuron: F.Neuron = _NEURON,
        tau_syn: Any = None,
        delay: Any = None,
        sigma: Any = None,
        key: Any = None,
        dtype: Any = None,
        **fields: Any,
    ) -> None:
        super().__init__(Arguments((weight, None), (tau_syn, None), (delay, None), neuron, sigma, key, dtype, fields))

    @classmethod
    def from_params(cls, weight: Any, params: Any, *, neuron: F.Neuron = _NEURON, **options: Any) -> Self:
        """The layer whose neurons have these Params.

        Args:
            weight: as of the class.
            params: the Params of `neuron`, such as `interop.brian.ffiaf(...)`.
            neuron, options: as of the class.

        >>> import jax.numpy as jnp
        >>> from snnjax import somas
        >>> from snnjax.interop import brian
        >>> layer = somas.FeedForwardIAF.from_params(jnp.ones((1, 2)), brian.ffiaf(tau_mem=10e-3))
        >>> round(float(layer.soma.params.neuron.bias), 3)
        0.015
        """
        check_membrane(neuron, cls.__name__)
        check_record(params, neuron.default(), neuron.name, "params", cls.__name__)
        return cls(weight, neuron=neuron, **{**values_of(neuron, params), **options})


class RecurrentIAF(IAFLayer):
    """Weights into neurons that integrate and fire, and whose spikes come back through weights of their own.

    The equations are those of `FeedForwardIAF`, with two currents `i`. A spike of one step comes back in the next, and by
    `delay_rec` later.

    Args:
        weight: `(in, out)`, as of `FeedForwardIAF`. `None`: one input for each neuron, as it is.
        weight_rec: `(out, out)`, from sender (row) to receiver (column), with those to itself; A, held over the step in which
            the spike arrives; with `tau_syn_rec` the jump that it makes, A.
        tau_syn, tau_syn_rec: time constants of the synapses for what comes in and for what comes back, s. `None`: a current.
        delay, delay_rec: of `weight` and `weight_rec`, s.
        neuron, sigma, key, dtype, fields: as of `FeedForwardIAF`.

    Attributes:
        weight, weight_rec, soma, delay, delay_rec, noise: as of `FeedForwardIAF`.

    Raises:
        ParameterError, ShapeError, DTypeError, ConfigError: an argument is not what is said above.

    >>> import jax.numpy as jnp
    >>> from snnjax import somas
    >>> ring = somas.RecurrentIAF(None, 50.0 * jnp.roll(jnp.eye(3), 1, axis=1), delay_rec=2e-3, t_ref=20e-3)
    >>> kick = jnp.zeros((8, 3)).at[0, 0].set(50.0)
    >>> ring.simulate(kick, dt=1e-3)[1].argmax(axis=0).tolist()
    [0, 3, 6]
    """

    def __init__(
        self,
        weight: Any,
        weight_rec: Any,
        *,
        neuron: F.Neuron = _NEURON,
        tau_syn: Any = None,
        tau_syn_rec: Any = None,
        delay: Any = None,
        delay_rec: Any = None,
        sigma: Any = None,
        key: Any = None,
        dtype: Any = None,
        **fields: Any,
    ) -> None:
        check_matrix(weight_rec, "weight_rec", type(self).__name__)
        weights, taus, delays = (weight, weight_rec), (tau_syn, tau_syn_rec), (delay, delay_rec)
        super().__init__(Arguments(weights, taus, delays, neuron, sigma, key, dtype, fields))

    @classmethod
    def from_params(cls, weight: Any, weight_rec: Any, params: Any, *, neuron: F.Neuron = _NEURON, **options: Any) -> Self:
        """The layer whose neurons have these Params; arguments as of `FeedForwardIAF.from_params`."""
        check_membrane(neuron, cls.__name__)
        check_record(params, neuron.default(), neuron.name, "params", cls.__name__)
        return cls(weight, weight_rec, neuron=neuron, **{**values_of(neuron, params), **options})
