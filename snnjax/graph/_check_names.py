"""Names of nodes: such that files, other tools and edges can use them as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._graph import Graph, SubGraph
from ._problem import Problem

MAX_LENGTH = 128
_WORD = "[A-Za-z0-9_][A-Za-z0-9_-]*+"
#: Words of letters, digits, `_` and `-`, joined by single dots, as `flatten` joins the names of a block and of a node in it.
NAME = re.compile(rf"{_WORD}(?:\.{_WORD})*+", re.ASCII)
_NAMES = re.compile(rf"{_WORD}(?:[.\n]{_WORD})*+", re.ASCII)
RULE = f"letters, digits, `_`, `-` and single dots, at most {MAX_LENGTH} of them, as in `hidden_1` or `block.hidden`"


def is_name(name: str) -> bool:
    return len(name) <= MAX_LENGTH and NAME.fullmatch(name) is not None


def name_problems(g: Graph) -> Iterator[Problem]:
    names = list(g.nodes)
    for name in () if not names or _all_are_names(names) else names:
        if not is_name(name):
            what = "is empty" if not name else "has a `/`, which separates a block from its port" if "/" in name else f"is {name!r:.140}"
            yield Problem(f"node {name!r:.140}", f"The name {what}.", f"`rename` it: names are {RULE}.", "name")


def _all_are_names(names: list[str]) -> bool:
    """Whether `is_name` holds for all of them, at one go: graphs may have 100,000 nodes."""
    text = "\n".join(names)
    return max(map(len, names)) <= MAX_LENGTH and text.count("\n") == len(names) - 1 and _NAMES.fullmatch(text) is not None


def flat_name_problems(g: Graph) -> Iterator[Problem]:
    """Names that are in order where they are, but not in the flattened graph."""
    seen: set[str] = set()
    nested = any(isinstance(node, SubGraph) for node in g.nodes.values())
    for name in _flat_names(g, "") if nested else ():
        if name in seen:
            how = "`rename` one of them, inside of the block or outside."
            yield Problem(f"node {name!r:.140}", "Flattened, two nodes would have this name.", how, "name")
        if len(name) > MAX_LENGTH and "." in name:
            what = f"Flattened, its name would have {len(name)} characters."
            yield Problem(f"node {name!r:.140}", what, "`rename` blocks to shorter names.", "name")
        seen.add(name)


def _flat_names(g: Graph, prefix: str) -> Iterator[str]:
    for name, node in g.nodes.items():
        if isinstance(node, SubGraph):
            yield from _flat_names(node.graph, f"{prefix}{name}.")
        else:
            yield prefix + name
