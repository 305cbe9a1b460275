"""What the neurons of NIR do, in NumPy and float64, from the equations in NIR's documentation; nothing of the library is used.

The input of step t is held from t to t + dt. Thresholds are looked at when a step is over.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def rates(kind: str, p: dict[str, np.ndarray], s: np.ndarray, state: np.ndarray) -> np.ndarray:
    """The derivatives of `state = (v, i)` under the signal `s`."""
    v, i = state
    if kind in ("I", "IF"):
        return np.stack([p["r"] * s, 0 * i])
    if kind in ("LI", "LIF"):
        return np.stack([(p["v_leak"] - v + p["r"] * s) / p["tau"], 0 * i])
    return np.stack([(p["v_leak"] - v + p["r"] * i) / p["tau_mem"], (p["w_in"] * s - i) / p["tau_syn"]])


def integrate(kind: str, p: dict[str, np.ndarray], inputs: np.ndarray, dt: float, substeps: int, euler: bool = False) -> np.ndarray:
    """The output of a population, `(T, N)`: spikes, or the potential. Runge-Kutta of fourth order in `substeps` parts, or Euler steps."""
    start = p["v_leak"] if "v_leak" in p else p["v_reset"] if "v_reset" in p else np.zeros_like(p["r"])
    state, h, out = np.stack([start, 0 * start]), dt / substeps, []
    for s in inputs:
        for _ in range(substeps):
            k1 = rates(kind, p, s, state)
            if euler:
                state = state + h * k1
                continue
            k2 = rates(kind, p, s, state + h / 2 * k1)
            k3 = rates(kind, p, s, state + h / 2 * k2)
            k4 = rates(kind, p, s, state + h * k3)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if "v_threshold" in p:
            spikes = state[0] > p["v_threshold"]
            state[0] = np.where(spikes, p["v_reset"], state[0])
            out.append(spikes.astype(float))
        else:
            out.append(state[0].copy())
    return np.array(out)


def parameters(kind: str, n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Different numbers for every neuron; `r` of both signs, and 0."""
    rng = np.random.default_rng(seed)
    p: dict[str, Any] = {"r": rng.uniform(0.5, 2.0, n)}
    if kind in ("LI", "LIF"):
        p |= {"tau": rng.uniform(5e-3, 30e-3, n), "v_leak": rng.uniform(-0.3, 0.3, n)}
    if kind.startswith("Cuba"):
        tau_syn = rng.uniform(2e-3, 10e-3, n)
        tau_mem = rng.uniform(5e-3, 30e-3, n)
        tau_mem[0] = tau_syn[0]
        p |= {"tau_syn": tau_syn, "tau_mem": tau_mem, "v_leak": rng.uniform(-0.3, 0.3, n), "w_in": rng.uniform(-2.0, 4.0, n)}
    if kind in ("I", "IF"):
        p["r"] = p["r"] * 100.0  # 1/s
    if kind.endswith("F"):
        p |= {"v_threshold": rng.uniform(0.5, 1.0, n), "v_reset": rng.uniform(-0.5, 0.3, n)}
    return p
