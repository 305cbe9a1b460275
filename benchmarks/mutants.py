"""Mutation testing of the step functions: change one thing, and see whether a test notices.

    python -m benchmarks.mutants --sample 120 --seed 0

Changes one operator, comparison, number, branch, sign or order of arguments at a time in a temporary copy of the package, and runs the
tests below on it until one fails: the quick ones first, and the others on what survives them. Prints each survivor with its change, and
the share that was killed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import io
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FUNCTIONAL = Path("snnjax/functional")
STEPS, GRADIENTS = "tests/test_steps.py", "tests/test_gradient_recursion.py"
DPI, DPI_GRADIENTS = "tests/test_dynapse_dpi.py", "tests/test_dpi_gradient_recursion.py"
#: Recorded runs and gradients of DynapSim, where they are at hand, and what learning needs.
DPI_TRACES = ["tests/test_dynapse_traces.py", "tests/test_dynapse_range.py", "tests/test_dynapse_learning.py"]
#: For each file the tests that are run on its mutants, quick ones first; a mutant that survives those goes on to the next.
TESTS: dict[str, list[list[str]]] = {
    "_leaky": [[STEPS, "-k", "[leaky"], [GRADIENTS, "-k", "float64[leaky]"]],
    "_lif": [[STEPS, "-k", "[lif"], [GRADIENTS, "-k", "float64[lif]"]],
    "_integrate_and_fire": [[STEPS, "-k", "integrate_and_fire"], [GRADIENTS, "-k", "float64[integrate"]],
    "_adaptive_leaky": [[STEPS, "-k", "[adaptive_leaky"], [GRADIENTS, "-k", "float64[adaptive_leaky"]],
    "_adaptive_current_leaky": [[STEPS, "-k", "adaptive_current"], ["tests/test_adaptive_current_leaky.py", "tests/test_injected.py"]],
    "_coupled": [[STEPS, "-k", "adaptive_current"], ["tests/test_adaptive_current_leaky.py"]],
    "_reset": [
        [STEPS, "tests/test_gradients.py", "-k", "leaky-exact or detached_reset or overflowing or infinite"],
        [GRADIENTS, "-k", "float64[leaky]"],
    ],
    "_refractory": [[STEPS, "-k", "refractory or refrac"], ["tests/test_properties_parts.py", "-k", "blocked or half or spark"]],
    "_integrators": [[STEPS, "-k", "lif- or synapses or jump or leaky-"], ["tests/test_integrators.py", "tests/test_properties_parts.py"]],
    "_recurrent": [[STEPS, "-k", "recurrent or wrappers"], ["snnjax/functional/_recurrent.py"]],
    "_synapses": [[STEPS, "-k", "synapses or wrappers"], ["snnjax/functional/_synapses.py"]],
    "_delta": [[STEPS, "-k", "jump"], ["tests/test_delta.py"]],
    "_surrogate": [["tests/test_surrogate.py"], ["tests/test_properties_parts.py", "-k", "surrogate"]],
    "_injected": [["tests/test_injected.py"]],
    "_dynapse_dpi": [[DPI_GRADIENTS, "-k", "float64"], [DPI], DPI_TRACES],
    "_dpi_log": [[DPI_GRADIENTS, "-k", "float64"], [DPI], DPI_TRACES],
    "_dpi_membrane": [[DPI_GRADIENTS, "-k", "float64"], [DPI], DPI_TRACES],
    "_dpi_dynapsim": [[DPI_GRADIENTS, "-k", "float64"], [DPI, "-k", "resumed or dynapsim"], DPI_TRACES],
}
TIMEOUT = 240.0
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
COMPARISONS = {ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
OTHER_NAMES = {"maximum": "minimum", "minimum": "maximum", "floor": "ceil", "exp": "expm1", "expm1": "exp"}
#: Calls whose first two arguments are alike. Others fail at once when they are swapped, which would flatter the tests.
SWAPPED = {"decay", "gain", "coupling", "mean", "pair", "potential", "charge", "spike", "reset"}


class Mutant(NamedTuple):
    file: str
    line: int
    before: str
    after: str
    source: str


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may become."""
    new = copy.deepcopy(node)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
        negated = {ast.Gt: ast.LtE, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.LtE: ast.Gt}.get(type(node.ops[0]))
        if negated is not None:
            yield ast.Compare(node.left, [negated()], node.comparators)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "where":
            yield node.args[1]
            yield node.args[2]
        if name == "_replace" and isinstance(node.func, ast.Attribute):
            yield node.func.value
        if name in OTHER_NAMES and isinstance(new, ast.Call) and isinstance(new.func, ast.Attribute):
            new.func.attr = OTHER_NAMES[name]
            yield new
        if name in SWAPPED and len(node.args) >= 2:
            yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)


def _left_alone(nodes: list[ast.AST]) -> set[int]:
    """Refusals, annotations, decorators, class bodies, type aliases: no part of a step."""
    out: set[int] = set()
    for node in nodes:
        aside: list[ast.AST | None] = []
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr) or isinstance(node, ast.If) and _refuses(node):
            aside = [node]
        elif isinstance(node, ast.FunctionDef):
            aside = [
                *node.decorator_list,
                node.returns,
                *(a.annotation for a in node.args.args),
                *node.args.defaults,
                *node.args.kw_defaults,
            ]
            aside += [node] if node.name.startswith("_check") else []
        elif isinstance(node, ast.AnnAssign):
            aside = [node]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            aside = [node]
        for part in aside:
            out |= {id(inner) for inner in ast.walk(part)} if part is not None else set()
    return out


def _refuses(node: ast.If) -> bool:
    return any(isinstance(statement, ast.Raise) for statement in node.body)


def mutants_of(file: str) -> Iterator[Mutant]:
    text = (ROOT / FUNCTIONAL / f"{file}.py").read_text()

    def parsed() -> list[ast.AST]:
        return list(ast.walk(ast.parse(text)))

    nodes = parsed()
    aside = _left_alone(nodes)
    for k, node in enumerate(nodes):
        if id(node) in aside:
            continue
        for choice, new in enumerate(changed(node)):
            tree, *_ = fresh = parsed()
            made = _Swap(fresh[k], list(changed(fresh[k]))[choice]).visit(tree)
            if (before := ast.unparse(node)) != (after := ast.unparse(new)):
                yield Mutant(file, getattr(node, "lineno", 0), before, after, ast.unparse(ast.fix_missing_locations(made)))


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().visit(node)


def _run(place: str, arguments: list[str]) -> None:
    """In a process of its own: the tests on the copy at `place`; the exit status says how they went."""
    os.chdir(place)
    sys.path.insert(0, place)
    sys.dont_write_bytecode = True
    import pytest

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = pytest.main([*arguments, "-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--no-header"])
    import snnjax

    assert Path(snnjax.__file__).is_relative_to(place)
    os._exit(int(status))


def verdict(place: Path, file: str) -> str:
    """The suite that killed the mutant of `file` at `place`, or "survived"."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jax", "jax.numpy", "numpy"])
    for k, suite in enumerate(TESTS[file]):
        process = context.Process(target=_run, args=(str(place), suite))
        process.start()
        process.join(TIMEOUT)
        if process.exitcode is None:
            process.kill()
            process.join()
            return "killed: timeout"
        if process.exitcode != 0:
            return f"killed by suite {k + 1}"
    return "survived"


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutation testing of the step functions.")
    parser.add_argument("--sample", type=int, default=120, help="how many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", nargs="*", default=list(TESTS))
    parser.add_argument("--unchecked", action="store_true", help="do not run the tests on the unchanged package first")
    arguments = parser.parse_args()
    everything = [mutant for file in arguments.files for mutant in mutants_of(file)]
    chosen = random.Random(arguments.seed).sample(everything, min(arguments.sample, len(everything)))
    print(f"{len(chosen)} of {len(everything)} mutants of {len(arguments.files)} files, seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ.setdefault("SNNJAX_TRACES", str(ROOT.parent / "shared" / "traces"))
        for part in ("snnjax", "tests", "docs"):
            shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", place)
        for file in arguments.files if not arguments.unchecked else ():
            if (unchanged := verdict(place, file)) != "survived":
                raise SystemExit(f"The tests of {file}.py fail on the unchanged package ({unchanged}).")
        killed = 0
        for mutant in chosen:
            path = place / FUNCTIONAL / f"{mutant.file}.py"
            path.write_text(mutant.source)
            outcome = verdict(place, mutant.file)
            shutil.copy(ROOT / FUNCTIONAL / f"{mutant.file}.py", path)
            killed += outcome != "survived"
            print(f"{outcome:20} {mutant.file}.py:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    print(f"killed {killed} of {len(chosen)} ({killed / len(chosen):.0%})")


if __name__ == "__main__":
    main()
