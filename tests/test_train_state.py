"""The state of a training run in a file: every bit back, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import snnjax
import snnjax.functional as F
from snnjax import _files as files
from snnjax import fit, somas


def state(seed: int = 0, **changed: Any) -> fit.TrainState:
    keys = jax.random.split(jax.random.key(seed), 3)
    params = {
        "net": eqx.nn.MLP(3, 2, 4, 1, key=keys[0]),
        "soma": somas.LIFSomaConfig(shape=(4,), tau_mem=somas.Uniform(0.01, 0.02)).build(keys[1]),
        "lif": F.LIFParams(tau_mem=jnp.full(3, 0.01 + seed)),
        "low": jax.random.normal(keys[2], (5,), jnp.bfloat16),
        "whole": jnp.arange(4, dtype=jnp.int8) + seed,
        "yes": jnp.array([True, False]) ^ bool(seed),
    }
    trained = eqx.filter(params, eqx.is_inexact_array)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(1e-3, 10)))
    made = fit.TrainState(
        params,
        optimizer.init(trained),
        jax.random.split(jax.random.key(seed), 2),
        step=jnp.int32(seed),
        cursor={
            "epoch": seed,
            "order": np.arange(6)[::-1] + seed,
            "rbg": jax.random.key(seed, impl="rbg"),
            "best": float("inf") if seed else 0.5,
        },
        neurons=F.lif_init(F.LIFParams(), (2, 3), jnp.float32),
    )
    return made._replace(**changed)


def bits(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return str(jax.random.key_impl(leaf)), np.asarray(jax.random.key_data(leaf)).tobytes()
    return (leaf.dtype, leaf.shape, np.asarray(leaf).tobytes()) if hasattr(leaf, "dtype") else leaf


def equal(a: Any, b: Any) -> bool:
    return jax.tree.structure(a) == jax.tree.structure(b) and [bits(x) for x in jax.tree.leaves(a)] == [bits(x) for x in jax.tree.leaves(b)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fit.save_state(tmp_path / "run.safetensors", state(7))
    return tmp_path / "run.safetensors"


def test_keys_bfloat16_integers_optimizers_and_modules_come_back_bit_by_bit(path: Path) -> None:
    assert not equal(state(0), state(7))
    again = fit.load_state(path, state(0))
    assert equal(again, state(7))
    assert [type(x) for x in jax.tree.leaves(again)] == [type(x) for x in jax.tree.leaves(state(0))]


def test_the_same_state_gives_the_same_file(path: Path, tmp_path: Path) -> None:
    fit.save_state(tmp_path / "again", fit.load_state(path, state(0)))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_weak_types_come_back_and_so_does_what_they_are_promoted_to(tmp_path: Path) -> None:
    weak = {"a": jnp.full(3, 0.1), "n": jnp.asarray(2), "b": jnp.ones(2)}
    made = fit.TrainState(weak, None, jax.random.key(0))
    fit.save_state(tmp_path / "x", made)
    again = fit.load_state(tmp_path / "x", made._replace(params={"a": jnp.ones(3), "n": jnp.int32(0), "b": jnp.full(2, 1.0)}))
    assert {name: leaf.weak_type for name, leaf in again.params.items()} == {"a": True, "n": True, "b": False}
    assert (again.params["a"] * jnp.ones(3, jnp.bfloat16)).dtype == jnp.bfloat16 and equal(again, made)


def test_a_loaded_state_compiles_nothing_new(path: Path) -> None:
    traced = []
    step = eqx.filter_jit(lambda state: (traced.append(1), state.step + 1)[1])
    assert int(step(fit.load_state(path, state(0))._replace(cursor=None))) == 8
    step(state(7, cursor=None))
    assert len(traced) == 1


def tampered(path: Path, change: Any) -> None:
    header, arrays = files.read(path, "train_state", 1)
    arrays = dict(arrays)
    change(header, arrays)
    files.write(path, "train_state", 1, header, arrays)


def test_what_belongs_to_nothing_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for change, match in (
        (lambda h, a: a.update({"state.999": np.ones(2)}), "has arrays of `state` that belong to nothing: state.999"),
        (lambda h, a: a.update({"other": np.ones(2)}), "holds more or less than a state"),
        (lambda h, a: a.pop("state.0"), "holds nothing in `state"),
        (lambda h, a: h.update(more=1), "holds more or less than a state"),
        (lambda h, a: h["state"].pop(), "has another `state` than `like`"),
        (lambda h, a: h.update(state="x"), "has a malformed `state`"),
        (lambda h, a: next(e for e in h["state"] if "function" in e).update(function="eval"), "has the function 'eval' in `state"),
        (lambda h, a: next(e for e in h["state"] if "number" in e).update(number="__import__('os')"), 'holds "__import__'),
    ):
        path.write_bytes(whole)
        tampered(path, change)
        with pytest.raises(snnjax.FormatError, match=match):
            fit.load_state(path, state(0))


@pytest.mark.parametrize(
    "like, match",
    [
        (lambda: state(neurons=None), "has another `state` than `like`; they differ in .*neurons"),
        (lambda: state(step=jnp.float32(0)), r"holds int32 of shape \(\) in `state.step`, and `like` has float32"),
        (lambda: state(key=jax.random.key(0)), r"in `state.key`, and `like` has uint32 of \(2,\)"),
        (lambda: state(key=jax.random.split(jax.random.key(0, impl="rbg"), 2)), "`state.key`"),
        (lambda: state(cursor=None), "differ in"),
        (lambda: eqx.tree_at(lambda s: s.params["net"].activation, state(), jnp.tanh), "has the function 'relu' in `state.params"),
        (lambda: state(optimizer=optax.sgd(1e-3).init(jnp.ones(3))), "differ in .*optimizer"),
    ],
)  # fmt: skip
def test_a_run_of_another_structure_is_refused(path: Path, like: Any, match: str) -> None:
    with pytest.raises(snnjax.FormatError, match=match):
        fit.load_state(path, like())


def test_files_of_another_kind_and_damaged_ones_are_refused(path: Path, tmp_path: Path) -> None:
    somas.save(tmp_path / "net", somas.LIFSomaConfig(shape=(1,)).build())
    with pytest.raises(snnjax.FormatError, match="holds a 'network', not a 'train_state'"):
        fit.load_state(tmp_path / "net", state())
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    with pytest.raises(snnjax.FormatError, match="is damaged: its SHA-256"):
        fit.load_state(path, state())
    with pytest.raises(snnjax.FormatError, match="`max_bytes`"):
        fit.load_state(path, state(), max_bytes=10)


def test_what_a_state_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(snnjax.DTypeError, match="`state` must be a `TrainState`; got ") as caught:
        fit.save_state(tmp_path / "x", {})  # type: ignore[arg-type]
    assert caught.value.field == "state"
    with pytest.raises(snnjax.DTypeError, match="`like` must be a `TrainState`"):
        fit.load_state(tmp_path / "x", 3)  # type: ignore[arg-type]
    for call in (lambda: fit.save_state(3, state()), lambda: fit.load_state(3, state())):  # type: ignore[arg-type]
        with pytest.raises(snnjax.DTypeError, match="`path` must be a path"):
            call()
    with pytest.raises(snnjax.ParameterError, match="`max_bytes` must be a whole number, 0 or more; got -1"):
        fit.load_state(tmp_path / "x", state(), max_bytes=-1)
    with pytest.raises(snnjax.DTypeError, match=r"`state\.cursor` must be an array, a key or a number; got the str 'here'") as caught:
        fit.save_state(tmp_path / "x", state(cursor="here"))
    assert caught.value.field == "state.cursor" and not list(tmp_path.iterdir())
