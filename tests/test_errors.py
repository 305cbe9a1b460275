"""The errors themselves: their kinds, what they carry, and that no interpreter option takes them away."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from door_table import RUNS, answer

import snnjax
from snnjax import SnnjaxError
from snnjax._errors import MissingKeywordError, UnknownKeywordError, did_you_mean, parameters, refuses_unknown_keywords

BUILT_IN = {
    snnjax.ParameterError: ValueError,
    snnjax.ShapeError: ValueError,
    snnjax.DTypeError: TypeError,
    snnjax.ConfigError: ValueError,
    snnjax.GraphError: ValueError,
    snnjax.HardwareError: ValueError,
    snnjax.FormatError: ValueError,
    snnjax.NumericsError: ArithmeticError,
    UnknownKeywordError: TypeError,
    MissingKeywordError: TypeError,
}

every_class = pytest.mark.parametrize("error", [SnnjaxError, *BUILT_IN], ids=lambda error: error.__name__)


@parameters
class Point(NamedTuple):
    x: Any
    y: Any = 0.0


@refuses_unknown_keywords
def place(thing: Any, *, at: Any, Height: Any = 0.0) -> Any:
    """Put `thing` there."""
    return thing, at, Height


def test_every_error_is_also_the_one_that_python_would_raise() -> None:
    for error, built_in in BUILT_IN.items():
        assert issubclass(error, SnnjaxError) and issubclass(error, built_in)


def test_every_public_error_is_in_this_test() -> None:
    public = {value for value in vars(snnjax).values() if isinstance(value, type) and issubclass(value, SnnjaxError)}
    assert public == {SnnjaxError, *BUILT_IN} - {UnknownKeywordError, MissingKeywordError}


@every_class
def test_an_error_carries_what_came_and_what_would_do(error: type[SnnjaxError]) -> None:
    raised = error("`dt` must be > 0 s; got 0.0.", where="simulate", field="dt", value=0.0, allowed="> 0 s")
    assert str(raised) == "`dt` must be > 0 s; got 0.0."
    assert (raised.where, raised.field, raised.value, raised.allowed) == ("simulate", "dt", 0.0, "> 0 s")


@every_class
def test_an_error_without_particulars_has_none(error: type[SnnjaxError]) -> None:
    raised = error("Something went wrong.")
    assert (raised.where, raised.field, raised.value, raised.allowed) == (None, None, None, None)


@every_class
@pytest.mark.parametrize("through", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_an_error_survives_a_process_boundary_whole(error: type[SnnjaxError], through: Any) -> None:
    raised = error("`v` is not finite.", where="simulate", field="v", value=(3, (1, 2)), allowed="finite")
    back = through(raised)
    assert type(back) is error and str(back) == str(raised)
    assert vars(back) == vars(raised) and back.value == (3, (1, 2))


def test_a_near_name_is_suggested_and_all_are_listed() -> None:
    known = ["tau_mem", "tau_syn", "v_th"]
    assert did_you_mean("tau_men", known) == "Did you mean `tau_mem`? Known names: tau_mem, tau_syn, v_th."
    assert did_you_mean("TAU_SYN", known).startswith("Did you mean `tau_syn`?")
    assert did_you_mean("threshold", known) == "Known names: tau_mem, tau_syn, v_th."
    assert did_you_mean("dT", iter(["Dt"])) == "Did you mean `Dt`? Known names: Dt."


def test_an_unknown_field_of_a_record_is_refused() -> None:
    assert Point(1.0, y=2.0) == (1.0, 2.0) and Point(x=1.0)._replace(y=3.0) == (1.0, 3.0)
    with pytest.raises(UnknownKeywordError, match=r"^`z` is not a parameter of `Point`\. Known names: x, y\.$") as caught:
        Point(1.0, z=2.0)
    assert (caught.value.where, caught.value.field, caught.value.value, caught.value.allowed) == ("Point", "z", 2.0, "x, y")


def test_a_field_without_default_is_missed_by_name() -> None:
    with pytest.raises(
        MissingKeywordError, match=r"^`x` is missing: `Point` has no default for it\. Give it by name, `x=\.\.\.`\.$"
    ) as caught:
        Point(y=1.0)
    assert (caught.value.where, caught.value.field) == ("Point", "x")


def test_an_unknown_keyword_of_a_function_is_refused() -> None:
    assert place("cup", at="table") == ("cup", "table", 0.0)
    with pytest.raises(UnknownKeywordError, match=r"`height` is not an argument of `place`\. Did you mean `Height`\?") as caught:
        place("cup", at="table", height=1.0)
    assert (caught.value.where, caught.value.field, caught.value.value) == ("place", "height", 1.0)


def test_a_needed_keyword_of_a_function_is_missed_by_name() -> None:
    with pytest.raises(MissingKeywordError, match=r"`at` is missing: `place` has no default"):
        place("cup")
    # Given by position it is missing too: the answer says how to give it.
    with pytest.raises(MissingKeywordError, match=r"Give it by name, `at=\.\.\.`"):
        place("cup", "table")


def test_a_decorated_function_and_record_keep_their_names() -> None:
    assert place.__name__ == "place" and place.__doc__ == "Put `thing` there."
    assert Point.__new__.__name__ == "__new__" and Point.__name__ == "Point"


def test_an_optimised_interpreter_refuses_the_same_in_the_same_words() -> None:
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(here.parent), str(here)))}
    run = subprocess.run(
        [sys.executable, "-O", str(here / "door_table.py")], capture_output=True, text=True, env=environment, cwd=here, check=False
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["debug"] is False
    assert told["answers"] == {name: answer(row) for name, row in RUNS.items()}
    assert all(told["answers"].values())
