"""What is not in the battery, each with its reason."""

from __future__ import annotations

import snnjax.functional as F

_RECORD = "a record: a name that it does not have is refused; its numbers are refused by what takes it"
_RESULT = "a record that functions of the library make and hand out"
_PART = "a part of models of one's own; nothing of it is used before a door has seen the whole"
_BARE = "a part of a step: it checks nothing (docs/decisions/doors.md); the step does"
_TRUTH = "a truth value: any object of Python has one"
_CHECKED = "called with a key, a shape and a dtype that `build` has checked"

#: Whole functions and classes, by regular expressions of their names.
WHOLE: dict[str, str] = {
    r"functional\.\w+State|somas\.IAFState|somas\.NetworkState|functional\.(EventRun|Memory)": _RESULT,
    r"fit\.(FitResult|LeastSquares|Skipped|TrainState)|interop\.nir\.(Entry|Report)": _RESULT,
    r"dynapse\.(Codes|Core|Entry|Match|Placement|Report)": _RESULT,
    r"graph\.(Problem|Problem\.inside|Recurrent)|dynapse\.Bias|events\.Delta": _RESULT,
    r"functional\.(Decaying|Early|Held|Late|Inhibition|Integrator|Kind|Neuron|Phases|Rule)": _PART,
    r"functional\.(relax|\w+\.charge|\w+\.potential|compute_refractory_update|core|with_core)": _BARE,
    r"functional\.(reset_to_value|reset_by_subtraction)": _BARE,
    r"functional\.(DPIConfig\.dynamics|SpikingConfig\.reset)|interop\.norse\.reset_subtract|functional\.all_gather_spikes": _BARE,
    r"somas\.\w+\.(draw|check_shape)": _CHECKED,
    r"somas\.Dynamic\.\w+|somas\.\w+\.batch_axes": "what a layer of one's own overrides, and what networks ask of their layers",
    r"dynapse\.(gaussian|log_normal)": "a law that `mismatch` calls with numbers that it has checked",
    r"graph\.Activation\.described": "how a node is shown",
    r"somas\.Network": "made by `graph.build`, of what that has checked",
}

#: Arguments, by regular expressions of `function(argument)`.
ARGUMENTS: dict[str, str] = {
    r"(functional|dynapse)\.(\w+Params|BiasCurrents|Process|Gates|Injected|Chip)\(\w+\)": _RECORD,
    r"functional\.SpikingConfig\(\w+\)|functional\.DPIConfig\(spike\)": "checked by what runs with it: rows of `simulate` with a `config`",
    r"functional\.\w+_init\(inputs\)": "a function of a model: `simulate` is the door",
    r"(functional|somas\.\w+)\.(simulate|outputs)\(checked\)|dynapse\.(quantize|place)\(saturate\)": _TRUTH,
    r"somas\.\w+Config(\.\w+)?\(skip_validation\)": _TRUTH,
    r"fit\.minimize\(progress\)|interop\.spark\.steps_left\(strict\)": _TRUTH,
    r"functional\.unroll\(state\)": "any pytree that `step` takes: JAX says what does not go together",
    r"somas\.\w+Soma\((key|dtype)\)": "the constructor of `Soma`, which has the rows",
    r"somas\.SomaConfig\(shape\)": "the base of config classes has no neuron: it cannot be made at all",
    r"somas\.load_extra\(like\)|somas\.trainable\(net\)": "any pytree",
    r"fit\.constrain\(like\)": "the misfit of the rows of `free`, seen from the other side",
    r"graph\.require_valid\(where\)": "the name of the caller, for the text",
    r"graph\.to_json\(indent\)": "as of `json.dumps`",
}

#: Cases of the list of bad input that are not refused when something is called, and why; or where else they are tested.
CASES: dict[str, str] = {
    "A14": "legal: the limit `tau_syn == tau_mem` is exact (test_closed_forms.py)",
    "B8": "accepted: booleans mean the same as floats (test_open_doors.py)",
    "B11": "accepted: a float32 state stays float32 under x64 (test_open_doors.py)",
    "B12": "accepted: a bfloat16 or float16 state is computed in float32 and rounded once per step (docs/semantics.md)",
    "B13": "accepted: arithmetic is in the dtype of the state, whatever those of the parameters (docs/semantics.md)",
    "B21": "JAX refuses it, and says which devices; not measured here, with one device",
    "C3": "run time: `checked=True` finds it, and resets are selections, so that infinity does not become NaN (test_checked.py)",
    "C4": "accepted: surrogates are finite for any potential (test_surrogate.py)",
    "D8": "a damaged file: the checksum (test_files.py, benchmarks/fuzz_files.py)",
    "D10": "a file with more or fewer arrays (test_files.py, test_somas_save.py)",
    "D13": "a float64 file in 32-bit mode (test_somas_save.py)",
    "D17": "HDF5 storage outside of the file (test_nir_file.py)",
    "D18": "HDF5 groups that contain themselves (test_nir_file.py)",
    "D20": "no archive is ever unpacked",
    "D21": "a save that is interrupted leaves the old file (test_files.py)",
    "D22": "keys, bfloat16, numbers: they come back bit by bit (test_somas_save.py)",
    "E4": "legal: a cycle through state or a delay (test_graph_build.py)",
    "E7": "legal: edges into one node are summed (test_graph_build.py, test_nir.py)",
    "E9": "inputs are found by their type, whatever their name (test_nir.py)",
    "E10": "algorithms on graphs are linear and end (test_graph_order.py)",
    "F2": "reported, not refused: every conversion gives what was asked, what was got and the error between them (test_dynapse_chip.py)",
    "F7": "neurons are not placed on cores in this version",
    "F8": "fan-in is not limited in this version: `lower` notes more than 64 synapses",
    "F10": "weights are not coded in this version",
    "F11": "destinations and tags are not counted in this version",
    "G3": "products of currents: the arithmetic of `dynapse_dpi` avoids them (test_dynapse_dpi.py)",
    "G4": "currents are fitted as logarithms (test_fit_coordinates.py)",
    "G5": "not promised: gradients are of first order",
    "G6": "the state is a logarithm (test_dynapse_dpi.py)",
    "G7": "the state is bounded (test_dynapse_dpi.py)",
    "G8": "`expm1` throughout (test_closed_forms.py)",
    "G9": "the floor is smooth (test_dynapse_dpi.py)",
    "G11": "one compilation for one set of shapes and dtypes (test_contract.py)",
    "G12": "Params hold floats alone, names are structure (test_contract.py)",
}

#: Rows that compile something themselves, for what they call with.
COMPILES: dict[str, str] = {
    "somas.RecurrentIAF.simulate: a period of no step": "the row makes a layer",
    "somas.FeedForwardIAF.__call__: a step of another batch": "the row makes a state",
    "somas.FeedForwardIAF.simulate: a key that is none": "the row makes a layer",
    "somas.FeedForwardIAF.simulate: a state of another batch": "the row makes a state",
    "events.Events: bfloat16": "the row makes an array of bfloat16",
    "fit.minimize: loss of three numbers": "the row multiplies with an array",
    **{
        f"functional.{step}: {what}": "a field that is missing is found when the step reads it, and it may have computed something by then"
        for step in (*(f"{name}_step" for name in F.MODELS), "advance")
        for what in ("params of another model", "state of another model", "config of another model", "config a name")
    },
}
