"""The network of `benchmarks.iaf` in Brian2, run second by second on request; started by that program with Brian2's own Python.

    python _brian_worker.py ARRAYS.npz TARGET

It answers each line on its standard input with what the next simulated second took, in seconds of the clock and of the processor,
and at the end writes its spikes beside the arrays. The run is one call of Brian2's `run`: what comes before its first step does
not count.
"""

import sys
import time
from pathlib import Path

import brian2  # pyright: ignore[reportMissingImports]
import numpy as np
from brian2 import amp, ms, ohm, second  # pyright: ignore[reportMissingImports]

EQUATIONS = {
    "currents": "dv/dt = (v_rest - v + r_m * (current(t, i) + bias)) / tau_mem : volt (unless refractory)",
    "spikes": "dv/dt = (v_rest - v + r_m * (i_syn + bias)) / tau_mem : volt (unless refractory)\ndi_syn/dt = -i_syn / tau_syn : amp",
}


def now() -> np.ndarray:
    """The clock and the processor time, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def network(arrays: dict, case: str) -> tuple:
    """Everything that `run` needs, and the seconds that the weighting of the inputs took."""
    given = {name: float(arrays[name]) for name in ("dt", "v_rest", "v_thresh", "v_reset", "bias", "tau_mem", "tau_syn", "refractory")}
    brian2.defaultclock.dt = given["dt"] * second
    names = {"r_m": 1 * ohm, "tau_mem": given["tau_mem"] * second, "tau_syn": given["tau_syn"] * second, "bias": given["bias"] * amp}
    names |= {name: given[name] * brian2.volt for name in ("v_rest", "v_thresh", "v_reset")}
    began = now()
    if case == "currents":
        names["current"] = brian2.TimedArray(arrays["inputs"] @ arrays["weight"] * amp, dt=given["dt"] * second)
    weighting = now() - began
    neurons = brian2.NeuronGroup(
        arrays["weight"].shape[1],
        EQUATIONS[case],
        threshold="v > v_thresh",
        reset="v = v_reset",
        refractory=given["refractory"] * second,
        method="exact",
        namespace=names,
    )
    neurons.v = given["v_rest"] * brian2.volt
    parts = [neurons, brian2.SpikeMonitor(neurons)]
    if case == "spikes":
        steps, channels = np.nonzero(arrays["inputs"])
        source = brian2.SpikeGeneratorGroup(arrays["weight"].shape[0], channels, steps * given["dt"] * second)
        synapses = brian2.Synapses(source, neurons, "w : amp", on_pre="i_syn_post += w")
        synapses.connect()
        synapses.w = arrays["weight"][synapses.i[:], synapses.j[:]] * amp
        parts += [source, synapses]
    return parts, weighting


def main() -> None:
    path, target = Path(sys.argv[1]), sys.argv[2]
    arrays = dict(np.load(path))
    brian2.prefs.codegen.target = target
    case, seconds = str(arrays["case"]), int(arrays["seconds"])
    parts, weighting = network(arrays, case)
    marks: list[np.ndarray] = []
    is_warm = False

    def report() -> None:
        print(*(now() - marks[-1] + weighting / seconds), flush=True)

    def wait() -> None:
        """At the start of each simulated second: report the one that ended, and wait for the next request."""
        if is_warm:
            if marks:
                report()
            sys.stdin.readline()
            marks.append(now())

    whole = brian2.Network(*parts, brian2.NetworkOperation(wait, dt=1 * second, when="start", order=-1))
    began = now()
    whole.store()
    whole.run(5 * ms)
    whole.restore()
    is_warm = True
    print(*(now() - began), flush=True)  # compiling
    whole.run(seconds * second)
    report()
    monitor = parts[1]
    steps = np.round(np.asarray(monitor.t / second) / float(arrays["dt"])).astype(np.int64)
    np.savez(path.with_name(f"spikes_{target}.npz"), steps=steps, neurons=np.asarray(monitor.i))


if __name__ == "__main__":
    main()
