"""The structure of the package: directions of import, sizes, and what an import brings along."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "snnjax"

FOUNDATION = {"_errors", "_kinds"}
#: What each part of the package may import of the others; what is not here may import anything.
ALLOWED: dict[str, set[str]] = {
    "_errors": set(),
    "_kinds": {"_errors"},
    "_files": FOUNDATION,
    "_cores": FOUNDATION,
    "functional": FOUNDATION | {"_cores"},
    "graph": FOUNDATION | {"_files"},
    "somas": FOUNDATION | {"_files", "functional", "graph"},
    "_progress": set(),
    "_coordinates": FOUNDATION | {"functional"},
    "fit": FOUNDATION | {"_coordinates", "_files", "_progress", "functional"},
    "events": FOUNDATION | {"_files", "functional"},
    "plot": FOUNDATION | {"graph"},
    "dynapse": FOUNDATION | {"_files", "functional", "graph", "somas"},
    "interop": FOUNDATION | {"_files", "functional", "graph", "somas", "dynapse"},
}
#: Third-party modules that may be imported when a part is imported.
BASE = {"numpy", "jax"}
THIRD_PARTY = {
    "somas": BASE | {"equinox", "safetensors"},
    "_files": BASE | {"safetensors"},
    "fit": BASE | {"equinox", "optax"},
    "graph": {"numpy"},
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that `path` imports, absolute, and whether at import time (not inside a function)."""
    tree = ast.parse(path.read_text())
    inside = {id(node) for scope in ast.walk(tree) if isinstance(scope, ast.FunctionDef) for node in ast.walk(scope)}
    for scope in ast.walk(tree):
        if isinstance(scope, ast.If) and ast.unparse(scope.test) == "TYPE_CHECKING":
            inside |= {id(node) for node in ast.walk(scope)}
    package = ("snnjax", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            yield from ((f"{module}.{alias.name}", id(node) not in inside) for alias in node.names)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path: Path) -> None:
    part = part_of(path)
    for module, at_import in imports(path):
        if part not in ALLOWED or path.name == "__init__.py" and path.parent == PACKAGE:
            continue
        first, *rest = module.split(".")
        if first == "snnjax" and rest and rest[0] != part:
            assert rest[0] in ALLOWED[part], (
                f"{path.name} of `{part}` imports `{module}`; `{part}` may import only {sorted(ALLOWED[part])}."
            )
        if at_import and first != "snnjax" and first not in sys.stdlib_module_names:
            allowed = THIRD_PARTY.get(part, BASE)
            assert first in allowed, f"{path.name} of `{part}` imports `{module}` when it is imported; only {sorted(allowed)} may be."


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_public_api_of_jax_is_used(path: Path) -> None:
    for module, _ in imports(path):
        private = ("jax._src", "jax.core", "jax.extend", "jax.interpreters", "equinox.internal")
        assert not module.startswith(private), f"{path.name} imports `{module}`, which may change at any release."
    assert "jax.core." not in path.read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300, f"{path.name} holds more than one idea."
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_doc = ast.get_docstring(node) is not None
            first = node.body[1] if has_doc and len(node.body) > 1 else node.body[0]
            assert (node.end_lineno or 0) - first.lineno < 40, f"`{node.name}` in {path.name} has more than 40 lines."


def test_importing_snnjax_brings_nothing_optional_along() -> None:
    code = (
        "import sys, snnjax, snnjax.functional\n"
        "optional = {'matplotlib', 'sklearn', 'h5py', 'nir', 'tqdm', 'scipy.optimize', 'optax', 'chex', 'equinox'}\n"
        "print(sorted(optional & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_snnjax_alone_does_not_import_jax() -> None:
    code = "import sys, snnjax; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_public_name_of_the_functional_namespace_has_a_docstring_and_the_list_is_sorted() -> None:
    import snnjax.functional as F

    assert list(F.__all__) == sorted(F.__all__)
    for name in F.__all__:
        value = getattr(F, name)
        assert name == "MODELS" or value.__doc__, name
