"""Neuron models of one's own, made known to graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from .._errors import DTypeError, GraphError, ParameterError, describe, refuses_unknown_keywords
from .._kinds import DOMAINS, Kind, kinds_of
from ._models import AXES, MAX_SYNAPSES, MODELS, WRAPPERS, Model, remember


@refuses_unknown_keywords
def register(model: str, params: Any, *, n_synapses: int = 0) -> None:
    """Make a neuron model of your own known, so that graphs with it can be checked and saved as those of the library.

    Its name then also works inside of wrappers, `refractory(mine)`. To run such a graph, hand over the model itself:
    `graph.build(g, models={name: neuron})`.

    Args:
        model: the name, as of `Neuron.name`; letters, digits and `_`.
        params: its Params class, whose fields are annotated with kinds; or a mapping from names to kinds.
        n_synapses: the size of the synapse axis of its inputs, 0 for none.

    Raises:
        GraphError: the name is one of the library's, was registered with other parameters, or is no identifier.
        ParameterError: `n_synapses` is out of its range.
        DTypeError: `params` holds something that is no kind, `model` is no string, or `n_synapses` no whole number.

    >>> from snnjax import functional as F, graph
    >>> graph.register("qif", {"tau_mem": F.TimeConstant, "v_th": F.Potential})
    >>> graph.validate(graph.Graph({"n": graph.Neurons("qif", {"tau_mem": -1.0, "v_th": 5.0}, 3)}))[0].what
    '`tau_mem` must be > 0 s and finite; got -1.0.'
    """
    if not isinstance(model, str) or not (model.isascii() and model.isidentifier()) or len(model) > 64 or model in (*MODELS, *WRAPPERS):
        raise (GraphError if isinstance(model, str) else DTypeError)(
            f"`model` must be a name of letters, digits and `_` that the library does not use itself; got {describe(model)}.",
            where="register", field="model", value=model, allowed="a new identifier",
        )  # fmt: skip
    whole = isinstance(n_synapses, int) and not isinstance(n_synapses, bool)
    if not whole or not 0 <= n_synapses <= MAX_SYNAPSES:
        raise (ParameterError if whole else DTypeError)(
            f"`n_synapses` must be an integer from 0 to {MAX_SYNAPSES}; got {n_synapses if whole else describe(n_synapses)}.",
            where="register", field="n_synapses", value=n_synapses, allowed=f"0 to {MAX_SYNAPSES}",
        )  # fmt: skip
    if not remember(model, Model(_kinds(params), n_synapses)):
        raise GraphError(
            f"`model` {model!r} is registered already, with other parameters. Choose another name.",
            where="register", field="model", value=model, allowed="a new identifier",
        )  # fmt: skip


def _kinds(params: Any) -> dict[str, Kind]:
    given: Any = dict(params) if isinstance(params, Mapping) else None
    if isinstance(params, type) and hasattr(params, "_fields"):
        known = kinds_of(params)
        given = {name: known.get(name) for name in params._fields}  # type: ignore[attr-defined]
    found = {name: _kind(it) for name, it in (given or {}).items()}
    missing = [name for name, kind in found.items() if kind is None]
    if given is None or missing:
        text = f"gives {missing[0]!r:.60} no kind" if missing else f"is {describe(params)}"
        raise DTypeError(
            f"`params` {text}. Hand over a Params class with annotated fields, or map names to kinds such as `F.TimeConstant`.",
            where="register", field="params", value=params, allowed="a Params class, or a mapping from names to kinds",
        )  # fmt: skip
    return {name: kind for name, kind in found.items() if kind is not None}


def _kind(annotation: Any) -> Kind | None:
    # A Kind is itself a tuple, and an annotation holds one among its arguments.
    kind = next((it for it in (annotation, *get_args(annotation)) if isinstance(it, Kind)), None)
    return kind if kind is not None and kind.domain in DOMAINS and kind.axes in AXES else None
