"""Steps of a plan held against the files on disk: what a run would refuse, without a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.config import Config, SetupCommand
from parallel_impl.errors import Severity
from parallel_impl.gates import step_check
from parallel_impl.plan import order
from parallel_impl.plan.model import Package, Plan, Scope, Step

ENV = Config(setup=(SetupCommand("make env"),))
NONE = Config(setup=())


@pytest.mark.parametrize(
    ("settings", "command", "severity"),
    [
        (NONE, "nosuchtool x", Severity.ERROR),
        (ENV, "nosuchtool x", Severity.WARNING),  # set-up may install it into .venv
        (NONE, ".venv/bin/python x", Severity.ERROR),
        (ENV, ".venv/bin/python x", Severity.WARNING),
        (ENV, "./nosuch.sh", Severity.ERROR),  # set-up makes no files of the repository
        (ENV, "/nosuch/tool", Severity.ERROR),
        (ENV, "echo 'x", Severity.ERROR),  # no shell script
        (Config(), "nosuchtool x", Severity.ERROR),  # no set-up is found
        (NONE, "sh -c true", None),
    ],
)
def test_what_a_run_would_refuse_is_an_error_and_what_set_up_may_install_a_warning(
    tmp_path: Path, settings: Config, command: str, severity: Severity | None
) -> None:
    plan = Plan("x", (Package("wp-a", "d", Scope(("src/**",)), steps=(Step("check", command=command),)),))

    found = list(step_check.problems(plan, order.of(plan), settings, tmp_path, lambda _: None))

    assert [problem.severity for problem in found] == ([severity] if severity else [])


def test_outside_a_change_folder_only_the_syntax_is_looked_at() -> None:
    steps = (Step("check", command="nosuchtool"), Step("quoted", command="echo 'x"))
    plan = Plan("x", (Package("wp-a", "d", Scope(("src/**",)), steps=steps),))

    (only,) = step_check.problems(plan, order.of(plan), NONE, None, lambda _: None)

    assert "is not a shell script" in only.what
