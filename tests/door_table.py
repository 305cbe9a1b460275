"""The whole table of refusals; run as a script it prints every answer, for comparison between interpreters."""

from __future__ import annotations

import json

from door_kinds import CHOICES, KINDS
from door_row import Refusal
from door_shapes import SHAPES
from door_values import STEPS, VALUES

import snnjax.functional as F
from snnjax import SnnjaxError

RUNS: dict[str, Refusal] = {**VALUES, **STEPS, **SHAPES, **KINDS, **CHOICES}


def answer(refusal: Refusal) -> list[str]:
    """Class, field and text of the error that a call meets; empty where it meets none."""
    try:
        F.simulate(**refusal.arguments())
    except SnnjaxError as error:
        return [type(error).__name__, str(error.field), str(error)]
    return []


if __name__ == "__main__":
    print(json.dumps({"debug": __debug__, "answers": {name: answer(refusal) for name, refusal in RUNS.items()}}))
