"""Graphs in files and as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _files as files
from .._errors import FormatError, refuses_unknown_keywords
from .._files import strict_json
from .._files._door import check_max_bytes, check_path
from ._decode import decode, refuse
from ._encode import encode, inline
from ._graph import Graph
from ._validate import refuse_problems, require_valid

KIND, VERSION = "graph", 1
_NAME_LENGTH = 128


@refuses_unknown_keywords
def save(path: Any, g: Graph) -> None:
    """Save a graph, so that `load` gives it back to the bit.

    Args:
        path: where to, by convention `*.safetensors`. A file that is there is replaced only once the new one is whole.
        g: a graph without problems.

    Raises:
        GraphError: `validate` finds problems in the graph.

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from snnjax import graph
    >>> g = graph.connect(graph.Linear(np.ones((3, 2), np.float32)), graph.Scale([2.0, 3.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     graph.save(pathlib.Path(folder) / "g.safetensors", g)
    ...     graph.load(pathlib.Path(folder) / "g.safetensors") == g
    True
    """
    check_path(path, "save")
    require_valid(g, "save")
    arrays: dict[str, np.ndarray] = {}

    def store(array: np.ndarray, name: str) -> Any:
        if array.ndim == 0:
            return inline(array, name)
        key = f"a{len(arrays)}.{name}"[:_NAME_LENGTH]
        arrays[key] = array
        return {"array": key}

    files.write(path, KIND, VERSION, encode(g, store), arrays)


@refuses_unknown_keywords
def load(path: Any, *, max_bytes: int = files.MAX_BYTES) -> Graph:
    """The graph that `save` wrote. Nothing in the file is executed, and no other file is opened.

    Args:
        path: of the file.
        max_bytes: the largest file that is read.

    Raises:
        FormatError: the file is truncated, damaged, of another kind or a newer version, or its parts do not fit.
        GraphError: `validate` finds problems in the graph.
        OSError: it cannot be opened.

    >>> from snnjax import graph
    >>> graph.load("there_is_no_such_file")
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] No such file or directory: 'there_is_no_such_file'
    """
    check_path(path, "load")
    check_max_bytes(max_bytes, "load")
    content, arrays = files.read(path, KIND, VERSION, max_bytes=max_bytes)
    left = dict(arrays)

    def fetch(name: Any) -> np.ndarray:
        if not isinstance(name, str) or name not in left:
            refuse(f"names an array {name!r:.140} that the file does not have, or names it twice")
        return left.pop(name)

    g = decode(content, fetch)
    if left:
        refuse(f"uses no array {next(iter(left))!r}, which the file has")
    refuse_problems(g, "load", "path", "The graph in `path`")
    return g


@refuses_unknown_keywords
def to_json(g: Graph, *, indent: int | None = None) -> str:
    """A graph as JSON text, from which `from_json` gives it back to the bit; for small graphs, and for reading.

    Raises:
        GraphError: `validate` finds problems in the graph.
        FormatError: it is too large for text; `save` it.

    >>> from snnjax import graph
    >>> g = graph.Graph({"in": graph.Input(2), "out": graph.Output(2)}, [graph.Edge("in", "out")])
    >>> graph.to_json(g)  # doctest: +NORMALIZE_WHITESPACE
    '{"kind":"graph","version":1,"nodes":[{"name":"in","type":"Input","shape":[2]},{"name":"out","type":"Output","shape":[2]}],"edges":[{"source":"in","target":"out"}]}'
    """
    require_valid(g, "to_json")
    text = strict_json.dump({"kind": KIND, "version": VERSION, **encode(g, inline)}, indent=indent)
    if len(text) > strict_json.MAX_BYTES or strict_json.memory_of(text) > strict_json.MAX_MEMORY:
        raise FormatError(
            f"The graph has {len(text)} characters as JSON, more than `from_json` reads. Use `graph.save` and `graph.load`.",
            where="to_json", field="g", value=len(text), allowed="a smaller graph",
        )  # fmt: skip
    return text


@refuses_unknown_keywords
def from_json(text: str | bytes) -> Graph:
    """The graph that `to_json` wrote.

    Raises:
        FormatError: the text is no JSON, not that of a graph, of a newer version, or too large.
        GraphError: `validate` finds problems in the graph.

    >>> from snnjax import graph
    >>> text = '{"kind": "graph", "version": 1, "edges": [], "nodes": [{"name": "in", "type": "Inptu", "shape": [2]}]}'
    >>> graph.from_json(text)
    Traceback (most recent call last):
    ...
    snnjax._errors.FormatError: The graph that was read has a node 'in' of the type 'Inptu'. Did you mean `Input`? Known names: ...
    """
    content = _parsed(text)
    try:
        g = _decoded(content)
    except FormatError as error:
        error.where, error.field = "from_json", "text"
        raise
    refuse_problems(g, "from_json", "text", "The graph in `text`")
    return g


def _decoded(content: Any) -> Graph:
    if not isinstance(content, dict) or content.get("kind") != KIND:
        refuse(f"is not of the kind {KIND!r}; a text that `to_json` wrote says so under `kind`")
    version = content.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        refuse(f"has version {version!r:.20}; this snnjax reads 1 to {VERSION}")
    return decode({key: value for key, value in content.items() if key not in ("kind", "version")}, refuse_arrays)


def _parsed(text: Any) -> Any:
    try:
        return strict_json.parse(text, source="`text`, the JSON of a graph,")
    except FormatError as error:
        start = text[:60] if isinstance(text, str | bytes) else text
        raise FormatError(str(error), where="from_json", field="text", value=start, allowed="what `to_json` gives") from None


def refuse_arrays(name: Any) -> np.ndarray:
    refuse(f"names an array {name!r:.140} of a file, and text has none")
