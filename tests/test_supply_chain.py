"""What is run to test and to release: actions pinned to commits, commands that exist, lower bounds that are tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def test_there_are_workflows() -> None:
    assert [path.stem for path in WORKFLOWS] == ["release", "tests"]


@every_workflow
def test_every_action_is_pinned_to_a_commit_and_says_which_release_that_is(path: Path) -> None:
    uses = re.findall(r"^.*\buses:.*$", path.read_text(), flags=re.MULTILINE)
    assert uses
    for line in uses:
        assert re.fullmatch(r"\s+- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@every_workflow
def test_a_workflow_may_read_and_no_more_unless_a_job_says_so(path: Path) -> None:
    text = path.read_text()
    assert re.search(r"^permissions:\n  contents: read\n\n", text, flags=re.MULTILINE)
    # Writing: only what an attestation needs.
    assert set(re.findall(r"^\s+([\w-]+): write$", text, flags=re.MULTILINE)) <= (
        {"id-token", "attestations"} if path.stem == "release" else set()
    )
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    assert "pull_request_target" not in text and "secrets." not in text


@every_workflow
def test_every_command_is_one_of_the_project(path: Path) -> None:
    text = path.read_text()
    named = {target for line in re.findall(r"run: \[(.*)\]", text) for target in line.split(", ")}
    for command in re.findall(r"- run: (.*)", text):
        if command == ".ci/run":
            assert (ROOT / command).is_file()
        elif command == "make ${{ matrix.run }}":
            assert named and named <= TARGETS
        else:
            assert command.removeprefix("make ") in TARGETS, command


def test_the_oldest_versions_are_the_lower_bounds_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["nir"], *extras["test"]]
    bounds = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", it).groups() for it in wanted if not it.startswith("snnjax["))
    lines = [line.split("#")[0].strip() for line in (ROOT / "tests" / "oldest.txt").read_text().splitlines()]
    pinned = dict(line.split("==") for line in lines if line)
    assert set(bounds) <= set(pinned)
    for name, bound in bounds.items():
        assert (pinned[name] + ".").startswith(bound + "."), f"{name}: {pinned[name]} is tested, {bound} is promised"
