"""The notebooks run from top to bottom, and are stored without what they print. Those that train for minutes run with `pytest -m long`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
TIMEOUT = 240
SLOW = {"04_dynap_se"}


def require_jupyter() -> None:
    """A skip that says what is missing."""
    missing = [name for name in ("nbclient", "nbformat", "ipykernel", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install snnjax[docs]")


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", [pytest.param(p, marks=[pytest.mark.long] * (p.stem in SLOW), id=p.stem) for p in NOTEBOOKS])
def test_the_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    require_jupyter()
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}, force_raise_errors=True
    )
    client.execute()
    # A kernel that never ran a cell raises nothing.
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip())
    printed = [output.text for cell in notebook.cells for output in cell.get("outputs", ()) if output.get("name") == "stderr"]
    assert not [text for text in printed if "Warning" in text]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_notebook_is_stored_without_outputs(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    for cell in cells:
        assert cell["outputs"] == [] and cell["execution_count"] is None, "strip the outputs before saving the notebook"
