"""The examples of the documentation run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def examples(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def run(code: str, names: dict[str, object]) -> None:
    """Run `code` as a reader would: with JAX's own promotion rules, and none of this file's future imports."""
    with jax.numpy_dtype_promotion("standard"):
        exec(compile(code, "example", "exec", dont_inherit=True), names)


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda p: p.name)
def test_the_examples_run_as_printed(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if re.search("^import nir", page.read_text(), flags=re.MULTILINE):
        pytest.importorskip("nir", reason='needs the extra: pip install "snnjax[nir]"')
    names: dict[str, object] = {}
    for example in examples(page):
        run(example, names)


def test_the_hero_example_is_short_and_learns(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = examples(ROOT / "README.md")
    assert len(example.splitlines()) <= 20
    errors = []
    for code in (example.replace("range(50)", "range(1)"), example):
        run(code, {})
        found = re.fullmatch(r"root mean square error: ([\d.]+) Hz\n", capsys.readouterr().out)
        assert found
        errors.append(float(found[1]))
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_inside_the_documentation_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
