"""Which missing programs stop a run before it starts, and which are only said."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from parallel_impl.config import SetupCommand
from parallel_impl.errors import Severity
from parallel_impl.gates import programs
from parallel_impl.plan import order
from parallel_impl.plan.model import Package, Plan, Scope, Step, StepKind

SET_UP = (SetupCommand("make env"),)


def package(
    command: str | tuple[str, ...], *write: str, name: str = "wp-a", above: tuple[str, ...] = (), **step: object
) -> Package:
    steps = (Step("check", command=command, **step),)  # type: ignore[arg-type]
    return Package(name, "d", Scope(write or ("src/**",)), depends_on=above, steps=steps)


def said(checkout: Path, *packages: Package) -> list[tuple[Severity, str, str]]:
    plan = Plan("x", packages)
    found = programs.check(plan, order.of(plan), {"PATH": os.environ["PATH"]}, checkout, commands=SET_UP)
    return [(problem.severity, problem.what, problem.hint) for problem in found]


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_a_program_of_the_environment_that_set_up_did_not_make_is_an_error_with_the_line_to_write(
    tmp_path: Path,
) -> None:
    (only,) = said(tmp_path, package("api/.venv/bin/python -m pytest", "api/src/**", "api/.venv/**"))

    assert only == (
        Severity.ERROR,
        "step 'check' of wp-a calls 'api/.venv/bin/python', which is not there",
        "set-up does not make it; say how in the configuration: "
        'setup = ["make env", {run = "uv sync --frozen", cwd = "api"}]',
    )


def test_several_environments_are_one_error_with_the_one_line_that_makes_them(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        package("api/.venv/bin/python -m pytest"),
        package("web/node_modules/.bin/tsc", name="wp-b"),
        package("node_modules/.bin/tsc", name="wp-c", cwd="web"),
        package("nosuchtool", name="wp-d"),
    )

    assert found == [
        (
            Severity.ERROR,
            "step 'check' of wp-a calls 'api/.venv/bin/python', which is not there; "
            "the same of 'web/node_modules/.bin/tsc', 'node_modules/.bin/tsc'",
            "set-up does not make it; say how in the configuration: "
            'setup = ["make env", {run = "uv sync --frozen", cwd = "api"}, {run = "npm ci", cwd = "web"}]',
        ),
        (
            Severity.ERROR,
            "step 'check' of wp-d calls 'nosuchtool', which is not there",
            "install it, let set-up install it into .venv, or correct the command",
        ),
    ]


def test_programs_that_are_there_say_nothing(tmp_path: Path) -> None:
    executable(tmp_path / "web" / "node_modules" / ".bin" / "tsc")
    executable(tmp_path / "check.sh")

    assert said(tmp_path, package("cd web && node_modules/.bin/tsc && cd .. && ./check.sh")) == []
    assert said(tmp_path, package("../check.sh && test -f x", cwd="web")) == []
    assert said(tmp_path, package(("./check.sh", "x"))) == []


def test_a_program_that_is_not_executable_comes_with_the_line_that_makes_it_so(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/check it.sh").write_text("")

    assert said(tmp_path, package("'./check it.sh'", cwd="tools")) == [
        (
            Severity.ERROR,
            "step 'check' of wp-a calls './check it.sh', which is not executable",
            "chmod +x 'tools/check it.sh', and commit that",
        )
    ]


def test_a_program_in_the_scope_of_the_package_or_of_one_above_it_may_still_be_missing(tmp_path: Path) -> None:
    first = package("true", "tools/**", name="wp-tools")
    second = package("true", name="wp-mid", above=("wp-tools",))
    third = package("tools/check.sh", name="wp-last", above=("wp-mid",))
    other = package("tools/check.sh", name="wp-other")

    assert said(tmp_path, first, second, third, package("src/new.sh")) == []
    assert [what for _, what, _ in said(tmp_path, first, other)] == [
        "step 'check' of wp-other calls 'tools/check.sh', which is not there"
    ]


def test_a_program_that_the_package_may_make_set_up_install_is_a_notice(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    found = said(
        tmp_path,
        package(".venv/bin/newtool", "pyproject.toml"),
        package("newtool x", "api/package.json", cwd="api", name="wp-b"),
    )

    assert [severity for severity, *_ in found] == [Severity.NOTICE, Severity.NOTICE]


def test_an_environment_that_set_up_does_not_make_is_not_made_by_a_changed_dependency(tmp_path: Path) -> None:
    (found,) = said(tmp_path, package(".venv/bin/python -m pytest", "pyproject.toml"))

    assert found[0] is Severity.ERROR


def test_a_thousand_steps_in_a_chain_are_looked_up_in_a_second(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    chain = [
        package(f".venv/bin/tool-{n % 7} # {n}", f"src/{n}/**", name=f"wp-{n}", above=(f"wp-{n - 1}",) if n else ())
        for n in range(1000)
    ]
    began = time.process_time()

    assert next(what.partition(" calls ")[2] for _, what, _ in said(tmp_path, *chain)) == (
        "'.venv/bin/tool-0', which is not there (and so do 142 more)"
    )
    assert time.process_time() - began < 3


def test_without_set_up_nothing_can_be_installed(tmp_path: Path) -> None:
    plan = Plan("x", (package(".venv/bin/newtool", "**"),))
    found = programs.check(plan, order.of(plan), os.environ, tmp_path, commands=())

    assert [problem.severity for problem in found] == [Severity.ERROR]


def test_programs_of_functions_and_after_here_documents_are_looked_up(tmp_path: Path) -> None:
    called = package('lint() { nosuchlint "$1"; }\nlint a')
    after = package("cat > /dev/null <<E\nwhatever\nE\nnosuchtool", name="wp-b")
    never = package("unused() { nosuchunused; }\ntrue", name="wp-c")

    assert [what for _, what, _ in said(tmp_path, called, after, never)] == [
        "step 'check' of wp-a calls 'nosuchlint', which is not there",
        "step 'check' of wp-b calls 'nosuchtool', which is not there",
    ]


def test_a_part_that_the_grammar_does_not_understand_is_a_notice(tmp_path: Path) -> None:
    assert said(tmp_path, package("true\ntime { nosuchtool; }")) == [
        (Severity.NOTICE, "step 'check' of wp-a: not checked: parts of the script", "")
    ]


@pytest.mark.parametrize(
    "command",
    [
        "case $X in a) nosuchtool;; esac",
        "nosuchtool || true",
        "command -v nosuchtool && nosuchtool",
        "if nosuchtool; then :; fi",
        "$TOOL x",
    ],
)
def test_what_is_not_decidable_is_said_and_never_failed(tmp_path: Path, command: str) -> None:
    assert [severity for severity, *_ in said(tmp_path, package(command))] == [Severity.NOTICE]


def test_a_negated_program_that_is_missing_would_pass_and_is_an_error(tmp_path: Path) -> None:
    assert [severity for severity, *_ in said(tmp_path, package("! nosuchgrep x"))] == [Severity.ERROR]


def test_a_step_that_is_no_shell_script_is_an_error_without_a_checkout_too() -> None:
    plan = Plan("x", (package("echo 'x"), package("if true; then echo; fi")))
    found = programs.check(plan, order.of(plan), dict(os.environ), None)

    assert [problem.path for problem in found] == ["packages[0].verification.steps[0].command"]
    assert "is not a shell script" in found[0].what


def test_steps_for_a_person_are_not_looked_at(tmp_path: Path) -> None:
    assert said(tmp_path, package("nosuchtool", kind=StepKind.MANUAL)) == []


def test_a_module_is_an_error_only_where_it_can_be_nowhere(tmp_path: Path) -> None:
    (tmp_path / "lib" / "tracked").mkdir(parents=True)

    def severities(module: str, *write: str) -> list[Severity]:
        return [severity for severity, *_ in said(tmp_path, package(f"python3 -m {module}", *write))]

    assert severities("no_such_module.main", "docs/**") == [Severity.ERROR]
    assert severities("json.tool") == []
    assert severities("pytest") == []  # it runs this test
    assert severities("tracked.main", "docs/**") == [Severity.NOTICE]
    assert severities("written", "lib/written/**") == [Severity.NOTICE]
    assert severities("written", "written.py") == [Severity.NOTICE]
    assert severities("written", "src/**") == [Severity.NOTICE]
