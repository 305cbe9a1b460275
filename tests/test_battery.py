"""The battery of bad input: every public function refuses every wrong argument, by name, before anything is compiled.

After a change of a message: `python tests/battery.py --write`, and read the difference.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from battery import GOLDEN, PAGE, ROWS, lines, page
from battery_excused import ARGUMENTS, CASES, COMPILES, WHOLE
from battery_row import Row, tells
from conftest import keeps_programs

from snnjax import SnnjaxError

HERE = Path(__file__).parent
MODULES = ("functional", "somas", "graph", "dynapse", "events", "fit", "plot",
           *(f"interop.{name}" for name in ("brian", "nir", "norse", "rockpool", "spark")))  # fmt: skip

BY_ENTRY: dict[str, list[Row]] = defaultdict(list)
for _row in ROWS:
    BY_ENTRY[_row.entry].append(_row)

every_entry = pytest.mark.parametrize("entry", BY_ENTRY)


def fault(row: Row, error: SnnjaxError | None) -> str:
    """What is wrong with the answer to a row; empty where it is as it should be."""
    if error is None:
        return "not refused"
    last = row.field.split(".")[-1].split("[")[0]
    wrong = {
        f"it is a {type(error).__name__}": not isinstance(error, row.errors),
        f"its field is {error.field!r}": error.field != row.field,
        f"its value is {error.value!r:.80}": not tells(error.value, row.came),
        "it does not say where": not error.where,
        "it does not say what is allowed": not error.allowed,
        "its text does not name the field": last.lower() not in str(error).lower(),
        "its text does not end": not str(error).endswith((".", "?")),
    }
    return "; ".join(what for what, holds in wrong.items() if holds)


def faults(rows: list[Row], call: Any) -> list[str]:
    """The rows of one function that are not answered as they should be by `call(row)`."""
    found = []
    for row in rows:
        try:
            call(row)
            error = None
        except SnnjaxError as refused:
            error = refused
        if what := fault(row, error):
            found.append(f"{row.title}: {what}: {error}")
    return found


@every_entry
def test_every_wrong_argument_is_refused_with_its_field_and_its_value(entry: str) -> None:
    assert faults(BY_ENTRY[entry], lambda row: row.call(None)) == []


@pytest.fixture(scope="module")
def raw_tracebacks() -> Iterator[None]:
    """JAX takes its own frames out of every traceback, which takes as long as the refusal."""
    before = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    yield
    jax.config.update("jax_traceback_filtering", before)


@pytest.mark.usefixtures("raw_tracebacks")
@every_entry
def test_the_same_is_refused_alike_inside_transformations(entry: str) -> None:
    def inside(transform: Any, one: Any) -> Any:
        def call(row: Row) -> Any:
            return transform(lambda one: (row.call(one), one)[1])(one)

        return call

    for transform, one in ((jax.jit, jnp.float32(1.0)), (jax.grad, jnp.float32(1.0)), (jax.vmap, jnp.ones(2))):
        assert faults([row for row in BY_ENTRY[entry] if row.inside], inside(transform, one)) == []


@pytest.fixture(scope="module")
def optimised() -> list[dict[str, Any]]:
    """All answers of a fresh interpreter with `-O`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE)))}
    command = [sys.executable, "-O", "-W", "ignore", str(HERE / "battery.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HERE, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["debug"] is False
    return told["answers"]


def test_an_optimised_interpreter_refuses_the_same_in_the_same_words(optimised: list[dict[str, Any]]) -> None:
    assert sorted(told["line"] for told in optimised) == GOLDEN.read_text().splitlines()


@keeps_programs
def test_nothing_is_compiled_before_a_refusal(optimised: list[dict[str, Any]]) -> None:
    compiled = {told["title"] for told in optimised if "backend_compile_duration" in told["compiled"]}
    assert compiled <= set(COMPILES), sorted(compiled - set(COMPILES))


def test_the_messages_are_those_of_the_golden_file() -> None:
    golden = GOLDEN.read_text().splitlines()
    now = lines()
    advice = "Read the difference; then `python tests/battery.py --write`."
    assert sorted(set(now) - set(golden)) == [] and sorted(set(golden) - set(now)) == [], advice


def test_the_page_lists_the_messages_of_the_golden_file() -> None:
    assert PAGE.read_text() == page(GOLDEN.read_text().splitlines()), "`python tests/battery.py --write` brings docs/errors.md up to date."


def test_messages_are_sentences_without_machine_and_memory() -> None:
    for message in GOLDEN.read_text().splitlines():
        assert not re.search(r"0x[0-9a-f]{6}|/home/|/tmp/|\.py\b|Tracer|object at", message), message


# Completeness


def public(module: ModuleType) -> dict[str, Any]:
    names = getattr(module, "__all__", None) or [
        name for name, it in vars(module).items() if not name.startswith("_") and getattr(it, "__module__", "") == module.__name__
    ]
    return {name: getattr(module, name) for name in (*names, *(("of", "build") if module.__name__ == "snnjax.graph" else ()))}


def underlying(function: Any) -> Any:
    """The function itself, out of what Equinox and `classmethod` put around it."""
    function = getattr(function, "__func__", function)
    return getattr(function, "method", function)


def callables() -> Iterator[tuple[str, Any]]:
    """Every public function, class and method by name; a method once, under the first class that has it."""
    seen: set[Any] = set()
    for area in MODULES:
        for name, it in public(importlib.import_module(f"snnjax.{area}")).items():
            if not callable(it) or not (inspect.isclass(it) or inspect.isfunction(it)):
                continue
            yield f"{area}.{name}", it
            for method in dir(it) if inspect.isclass(it) else ():
                found = underlying(inspect.getattr_static(it, method))
                ours = inspect.isfunction(found) and found.__module__.startswith("snnjax")
                if ours and (method == "__call__" or not method.startswith("_")) and found not in seen:
                    seen.add(found)
                    yield f"{area}.{name}.{method}", found


PUBLIC = dict(callables())


def arguments(name: str, function: Any) -> list[str]:
    """The arguments that a user gives by name."""
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [it.name for it in known if it.name not in ("self", "cls") and it.kind not in (it.VAR_POSITIONAL, it.VAR_KEYWORD)]


def rows_of(name: str) -> set[str]:
    """The arguments of which there is a row, here or under another class that has the same method."""
    mine = PUBLIC[name]
    same = [entry for entry in {row.entry for row in ROWS} if entry == name or _resolved(entry) is mine]
    return {argument for row in ROWS if row.entry in same for argument in row.argument.split()}


def _resolved(entry: str) -> Any:
    area = next(area for area in sorted(MODULES, key=len, reverse=True) if entry.startswith(area + "."))
    found: Any = importlib.import_module(f"snnjax.{area}")
    for part in entry[len(area) + 1 :].split("."):
        found = inspect.getattr_static(found, part, None) if inspect.isclass(found) else getattr(found, part)
    return underlying(found)


def test_every_argument_of_every_public_function_is_in_the_battery_or_excused() -> None:
    missing = []
    for name, function in PUBLIC.items():
        if any(re.fullmatch(pattern, name) for pattern in WHOLE):
            continue
        covered = rows_of(name)
        missing += [
            f"{name}({argument})" for argument in arguments(name, function)
            if argument not in covered and not any(re.fullmatch(pattern, f"{name}({argument})") for pattern in ARGUMENTS)
        ]  # fmt: skip
    assert missing == []


def test_no_excuse_is_left_over() -> None:
    for pattern in WHOLE:
        assert any(re.fullmatch(pattern, name) for name in PUBLIC), pattern
    given = [f"{name}({argument})" for name, function in PUBLIC.items() for argument in arguments(name, function)]
    for pattern in ARGUMENTS:
        assert any(re.fullmatch(pattern, argument) for argument in given), pattern


def test_every_row_is_of_a_public_function() -> None:
    known = set(PUBLIC) | {name.rpartition(".")[0] for name in PUBLIC}
    for entry in {row.entry for row in ROWS}:
        assert entry in known or _resolved(entry) in PUBLIC.values(), entry


def test_every_case_of_the_list_has_a_row_or_a_reason() -> None:
    found = {row.case for row in ROWS}
    letters = {"A": 16, "B": 21, "C": 6, "D": 22, "E": 11, "F": 13, "G": 12}
    cases = {f"{letter}{k}" for letter, most in letters.items() for k in range(1, most + 1)}
    assert cases - found == set(CASES), "a case without a row needs a reason, and one with rows has none"
    assert {case for case in found if len(case) > 1} <= cases


def test_titles_are_unique() -> None:
    titles = [row.title for row in ROWS]
    assert len(titles) == len(set(titles))
