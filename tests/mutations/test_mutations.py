"""Every safety rule: without its wiring a test fails.

`make test-mutations`; a mutation that no test notices survives, and fails here. One that was never applied proves
nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mutations.mutation import MOST_TESTS, Mutation
from tests.mutations.rules import agents, attempts, landing, runs, views, whole

ROOT = Path(__file__).resolve().parents[2]
MUTATIONS = (
    *attempts.MUTATIONS,
    *whole.MUTATIONS,
    *landing.MUTATIONS,
    *runs.MUTATIONS,
    *agents.MUTATIONS,
    *views.MUTATIONS,
)
FAILED = 1  # pytest's exit code when tests ran and one failed


def interpreter(folder: Path, mutation: Mutation) -> Path:
    """The site-packages of an interpreter that is this one, but for the mutation."""
    venv.EnvBuilder(symlinks=True).create(folder)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (packages / "mutated.py").write_bytes((Path(__file__).parent / "mutated.py").read_bytes())
    (packages / "mutation.json").write_text(json.dumps({"target": mutation.target, "becomes": mutation.becomes}))
    ours = sysconfig.get_path("purelib")
    (packages / "mutated.pth").write_text(f"import site; site.addsitedir({ours!r})\nimport mutated\n")
    return packages


@pytest.mark.mutations
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_rule_without_its_wiring_is_noticed(
    mutation: Mutation, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    packages = interpreter(tmp_path / "venv", mutation)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [str(tmp_path / "venv/bin/python"), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist",
         "-m", "", f"--basetemp={tmp_path / 'inner'}", *mutation.tests],
        cwd=ROOT, env={**inherited, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    record_property("mutations: rules", int(mutation is next(one for one in MUTATIONS if one.rule == mutation.rule)))
    record_property("mutations: mutations", 1)
    printed = f"{done.stdout[-3000:]}{done.stderr[-2000:]}"
    assert (packages / "applied").exists(), f"never applied: {mutation.target}\n{printed}"
    survived = done.returncode != FAILED
    record_property("mutations: survivors", int(survived))
    assert not survived, f"{mutation.rule}: no test noticed\n{printed}"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_mutation_names_something_that_is_there(mutation: Mutation) -> None:
    module, _, name = mutation.target.partition(":")
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    assert 0 < len(mutation.tests) <= MOST_TESTS
    for test in mutation.tests:
        path, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}(" in (ROOT / path).read_text()


def test_the_names_of_mutations_differ() -> None:
    assert len({one.name for one in MUTATIONS}) == len(MUTATIONS)
