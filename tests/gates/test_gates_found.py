"""Which gates and set-up a repository's own files ask for, from trees written out here."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from parallel_impl.config import GateCommand
from parallel_impl.errors import Severity
from parallel_impl.gates import quality, setup
from parallel_impl.gates.found import node, repository
from parallel_impl.gates.found.found_gate import ProjectTree
from parallel_impl.gates.found.members import members
from parallel_impl.gates.found.unreadable import asked, dropped, unreadable
from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.lost_tests import ChangedPaths
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus, compare

Files = Mapping[str, str]


def tree(files: Files) -> ProjectTree:
    content = {path: text.encode() for path, text in files.items()}
    return ProjectTree(content.get, content.keys())


def commands(files: Files, **configured: GateCommand | bool) -> dict[str, str]:
    """Names with `_` for `-`."""
    named = {name.replace("_", "-"): own for name, own in configured.items()}
    return {one.name: one.command for one in repository.gates(tree(files), named)}


def parsers(files: Files) -> dict[str, str]:
    return {one.name: one.parser for one in repository.gates(tree(files), {})}


def said(files: Files, **configured: GateCommand | bool) -> list[str]:
    found = repository.gates(tree(files), configured)
    return [f"{one.what} | {one.hint}" for one in repository.problems(tree(files), configured, found)]


def package(**scripts: str) -> str:
    return json.dumps({"name": "x", "scripts": scripts})


# -- package.json


@pytest.mark.parametrize(
    ("lock", "manager"),
    [("package-lock.json", "npm"), ("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun")],
)
def test_scripts_are_run_by_the_manager_whose_lock_file_is_there(lock: str, manager: str) -> None:
    files = {lock: "", "package.json": package(test="mocha", lint="eslint .", typecheck="tsc", build="tsc -p .")}

    assert commands(files) == {
        f"{manager}-test": f"{manager} run test",
        f"{manager}-lint": f"{manager} run lint",
        f"{manager}-typecheck": f"{manager} run typecheck",
    }


def test_the_field_package_manager_decides_between_several_lock_files() -> None:
    content = json.dumps({"packageManager": "yarn@4.5.0", "scripts": {"test": "mocha"}})

    assert [*commands({"package-lock.json": "", "yarn.lock": "", "package.json": content})] == ["yarn-test"]


@pytest.mark.parametrize("script", ['echo "Error: no test specified" && exit 1', "", "eslint . --fix", "vitest run -u"])
def test_a_script_that_tests_nothing_or_edits_files_is_no_gate(script: str) -> None:
    assert commands({"package.json": package(test=script)}) == {}


@pytest.mark.parametrize(
    ("script", "tool"),
    [
        ("node --test", "node"),
        ("node --test --experimental-test-coverage test/*.test.js", "node"),
        ("vitest", "vitest"),
        ("vitest run --coverage", "vitest"),
        ("cross-env NODE_ENV=test jest --ci", "jest"),
        ("TZ=UTC jest 'src/(a|b)'", "jest"),
        ("NODE_OPTIONS=--experimental-vm-modules jest", ""),  # what reads the report could be lost
        ("node --test && tsc", ""),
        ("node test.js", ""),
        ("vitest --bail 1", ""),
        ("vitest dev", ""),
        ("jest --reporters=jest-junit", ""),
        ("node --test --test-reporter=tap", ""),
        ("jest $(cat files)", ""),
        ("jest 'unclosed", ""),
        ("mocha", ""),
    ],
)
def test_a_report_is_read_where_the_script_is_one_simple_command_that_runs_all(script: str, tool: str) -> None:
    assert node.simple_tool(script) == tool
    found = parsers({"package.json": package(test=script)})
    assert found == {"npm-test": tool or "exit-code"}


def test_options_for_the_report_reach_the_tool_through_its_script() -> None:
    vitest = {"package.json": package(test="vitest")}
    options = '--reporter=default --reporter=json --outputFile.json="$PARALLEL_IMPL_REPORT"'

    assert commands(vitest)["npm-test"] == f"npm run test -- {options}"
    assert commands({**vitest, "pnpm-lock.yaml": ""})["pnpm-test"] == f"pnpm run test {options}"
    assert commands({"package.json": package(test="node --test")})["npm-test"].startswith(
        'NODE_OPTIONS="--test-reporter'
    )


# -- workspaces


def test_members_of_a_workspace_have_gates_of_their_own() -> None:
    files = {
        "package.json": json.dumps({"workspaces": ["packages/*", "!packages/old"], "scripts": {"lint": "eslint ."}}),
        "packages/a/package.json": package(test="jest"),
        "packages/b/package.json": package(build="tsc"),
        "packages/old/package.json": package(test="jest"),
    }

    assert commands(files) == {
        "npm-test:packages/a": 'cd packages/a && npm run test -- --json --outputFile="$PARALLEL_IMPL_REPORT"',
        "npm-lint": "npm run lint",
    }
    assert [line.partition(" are")[0] for line in said(files)] == ["the tests of packages/old"]


def test_a_root_script_that_runs_its_members_is_the_only_gate() -> None:
    files = {
        "package.json": package(test="pnpm -r run test"),
        "pnpm-lock.yaml": "",
        "pnpm-workspace.yaml": "packages:\n  # ours\n  - 'packages/**'\n  - apps/*   # these too\nother: []\n",
        "packages/a/package.json": package(test="vitest"),
        "apps/web/package.json": package(test="vitest"),
    }

    assert commands(files) == {"pnpm-test": "pnpm run test"}
    assert said(files) == []
    no_script = {**files, "package.json": package()}
    assert [*commands(no_script)] == ["pnpm-test:apps/web", "pnpm-test:packages/a"]


def test_many_members_are_one_gate() -> None:
    many = {f"packages/m{number}/package.json": package(test="jest") for number in range(9)}
    files = {"package.json": json.dumps({"workspaces": ["packages/*"]}), **many}

    assert commands(files) == {"npm-test:*": "npm run test --workspaces --if-present"}


def test_patterns_of_workspaces() -> None:
    folders = ["a", "packages/a", "packages/a/b", "packages/node_modules/x"]

    assert members(["packages/*"], folders) == ["packages/a"]
    assert members(["./packages/**"], folders) == ["packages/a", "packages/a/b"]
    assert members(["**"], folders, ["packages/a"]) == ["a", "packages/a/b"]


# -- Go, Rust, make


def test_modules_that_go_work_uses_are_tested_and_others_are_named() -> None:
    files = {
        "go.mod": "module x",
        "go.work": "go 1.22\nuse (\n\t.\n\t./tools // ours\n)\nuse ./gen\n",
        "tools/go.mod": "module x/tools",
        "gen/go.mod": "module x/gen",
        "cli/go.mod": "module x/cli",
        "cli/a_test.go": "",
        "testdata/go.mod": "module x/testdata",
        "testdata/a_test.go": "",
    }

    assert commands(files) == {
        "go-test": "go test -json ./...",
        "go-vet": "go vet ./...",
        "go-test:tools": "cd tools && go test -json ./...",
        "go-vet:tools": "cd tools && go vet ./...",
        "go-test:gen": "cd gen && go test -json ./...",
        "go-vet:gen": "cd gen && go vet ./...",
    }
    assert said(files) == [
        "the tests of cli are not run: it is no declared member of a workspace | "
        'write gates.cli = {command = "cd cli && go test -json ./...", parser = "go"}'
    ]


def test_cargo_tests_a_whole_workspace() -> None:
    assert commands({"Cargo.toml": "[package]\nname = 'x'"}) == {
        "cargo-test": "cargo test --no-fail-fast",
        "cargo-clippy": "cargo clippy --all-targets",
    }
    files = {
        "Cargo.toml": "[workspace]\nmembers = ['a']",
        "a/Cargo.toml": "[package]",
        "b/Cargo.toml": "[package]\nname='b'",
    }
    assert commands(files)["cargo-test"] == "cargo test --no-fail-fast --workspace"
    assert [line.partition(" are")[0] for line in said(files)] == ["the tests of b"]


def test_make_test_counts_only_where_nothing_else_runs_tests() -> None:
    makefile = {"Makefile": "all:\n\ttrue\ntest: all\n\t./check\n"}

    assert commands(makefile) == {"make-test": "make test"}
    assert commands({**makefile, "ruff.toml": ""}) == {
        "ruff": "ruff check --output-format=json",
        "make-test": "make test",
    }
    assert commands({**makefile, "pytest.ini": ""}) == {"pytest": "pytest -q"}
    assert commands(makefile, all=GateCommand("./check")) == {}
    assert commands({"Makefile": "test := 1\ntests:\n\ttrue\n"}) == {}


# -- pytest without a configuration


def test_a_requirement_and_test_files_say_pytest_too() -> None:
    files = {"requirements-dev.txt": "# tools\npytest>=7\n", "tests/unit/test_a.py": ""}

    assert [*commands(files)] == ["pytest"]
    assert [*commands({"requirements-dev.txt": "pytest", "test_a.py": ""})] == ["pytest"]
    assert commands({"requirements-dev.txt": "pytest-cov\n", "tests/test_a.py": ""}) == {}
    assert commands({"requirements-dev.txt": "pytest\n", "src/a.py": ""}) == {}
    grouped = "[project]\nname='x'\n[dependency-groups]\ndev = ['pytest ~= 8.0']\n"
    assert [*commands({"pyproject.toml": grouped, "tests/test_a.py": ""})] == ["pytest"]


def test_members_of_a_uv_workspace_are_tested_where_the_root_does_not_reach_them() -> None:
    files = {
        "pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']\n",
        "packages/a/pyproject.toml": "[tool.pytest.ini_options]\n",
        "packages/b/pyproject.toml": "[project]\nname = 'b'\n",
        "other/pyproject.toml": "[tool.pytest.ini_options]\n",
    }
    member = {"pytest:packages/a": "cd packages/a && pytest -q"}

    assert commands(files) == member
    assert [line.partition(" are")[0] for line in said(files)] == ["the tests of other"]
    assert commands({**files, "pytest.ini": "[pytest]\n"}) == {"pytest": "pytest -q"}
    assert said({**files, "pytest.ini": "[pytest]\n"}) == []
    assert commands({**files, "pytest.ini": "[pytest]\ntestpaths = tests\n"}) == {"pytest": "pytest -q", **member}
    assert commands({**files, "pytest.ini": "[pytest]\ntestpaths = ./packages tests\n"}) == {"pytest": "pytest -q"}


# -- what the configuration says


def test_a_gate_of_another_name_that_does_the_same_takes_the_place_of_a_found_one() -> None:
    files = {"package.json": package(test="mocha"), "go.mod": "module x"}

    assert [*commands(files, js=GateCommand("npm test"), vet=GateCommand("go vet ./..."))] == ["go-test"]
    part = {"web": GateCommand("cd web && npm test"), "a": GateCommand("go test ./a")}
    assert [*commands(files, **part)] == ["npm-test", "go-test", "go-vet"]
    assert [*commands(files, npm_test=False, go_test=GateCommand("go test ./a"))] == ["go-vet"]


def test_a_whole_that_nothing_tests_is_a_warning_with_the_line_to_write() -> None:
    what = "no test gate was found: nothing tests the whole before it lands | write gates."

    assert said({"ruff.toml": ""}) == [f'{what}tests = {{command = "make test"}} with what runs the tests']
    assert said({"ruff.toml": ""}, check=GateCommand("./check")) == []
    web = {"web/package.json": package(test="jest"), "web/package-lock.json": ""}
    line = (
        'web = {command = "cd web && npm run test -- --json --outputFile=\\"$PARALLEL_IMPL_REPORT\\"", parser = "jest"}'
        ', and in setup {run = "npm ci", cwd = "web"}'
    )
    assert said(web)[0] == f"{what}{line}"
    _, problems = quality.find(lambda _: None, {}, change_id="x")
    assert [one.severity for one in problems] == [Severity.WARNING]


# -- found gates that judge nothing


def test_a_found_gate_that_is_red_and_unreadable_on_the_base_is_switched_off_and_a_configured_one_halts() -> None:
    found = Gate("npm-lint", "npm run lint", found="found from package.json", asked=False)
    configured = Gate("npm-lint", "npm run lint", found="configured")
    red = GateReport("npm-lint", GateState.RED, 1, explained=False)
    why = "red (exit 1) on the base, and nobody can read which of its failures are old"

    assert unreadable([configured], {"npm-lint": red}) == {}
    assert asked([configured, found], {"npm-lint": red}) == {"npm-lint": why}
    assert compare(red, red, ChangedPaths()).blocks
    off = unreadable([found], {"npm-lint": red})
    assert off == {"npm-lint": why}
    verdict = dropped(compare(red, red, ChangedPaths()), off)
    assert (verdict.status, verdict.why, verdict.blocks) == (VerdictStatus.SWITCHED_OFF, why, False)
    passed = GateVerdict("npm-lint", VerdictStatus.PASSED)
    assert dropped(passed, off).status is VerdictStatus.SWITCHED_OFF  # what was not told apart proves nothing
    assert dropped(passed, off).why == f"{why}; it passes on the whole, which is no proof"
    assert dropped(passed, {}) == passed


def test_a_found_gate_whose_program_is_not_there_on_the_base_is_switched_off() -> None:
    gate = Gate("npm-lint", "npm run lint", asked=False)
    broken = GateReport("npm-lint", GateState.BROKEN, 127)

    off = unreadable([gate], {"npm-lint": broken})

    assert dropped(compare(broken, broken, ChangedPaths()), off).status is VerdictStatus.SWITCHED_OFF


def test_a_found_gate_whose_failures_can_be_read_stays() -> None:
    gate = Gate("go-test", "go test -json ./...", "go", asked=False)

    for state, explained in ((GateState.RED, True), (GateState.GREEN, False), (GateState.BROKEN, True)):
        report = {"go-test": GateReport("go-test", state, 1, explained=explained)}
        assert unreadable([gate], report) == {}
        assert asked([replace(gate, asked=True)], report) == {}


# -- set-up


def runs(files: Files) -> list[str]:
    return [command.run for command in setup.find(tree(files).content).commands]


@pytest.mark.parametrize(
    ("lock", "content", "run"),
    [
        ("package-lock.json", "{}", "npm ci"),
        ("npm-shrinkwrap.json", "{}", "npm ci"),
        ("pnpm-lock.yaml", "", "pnpm install --frozen-lockfile"),
        ("yarn.lock", "# yarn lockfile v1\n", "yarn install --frozen-lockfile"),
        ("yarn.lock", "__metadata:\n  version: 8\n", "yarn install --immutable"),
        ("bun.lockb", "", "bun install --frozen-lockfile"),
    ],
)
def test_each_lock_file_has_the_command_that_changes_nothing_of_it(lock: str, content: str, run: str) -> None:
    assert runs({lock: content, "package.json": "{}"}) == [run]


def test_uv_installs_the_extras_and_groups_for_development_that_it_does_not_by_itself() -> None:
    extras = "[project]\nname='x'\n[project.optional-dependencies]\ntest=[]\ndocs=[]\n"
    project = f"{extras}[dependency-groups]\ndev=[]\ntests=[]\n"

    assert runs({"uv.lock": "", "pyproject.toml": project}) == ["uv sync --frozen --extra=test --group=tests"]
    default = f"{project}[tool.uv]\ndefault-groups = ['dev', 'tests']\n"
    assert runs({"uv.lock": "", "pyproject.toml": default}) == ["uv sync --frozen --extra=test"]
    assert runs({"uv.lock": "", "pyproject.toml": "[tool.uv.workspace]\n"}) == ["uv sync --frozen --all-packages"]


def test_requirements_files_are_installed_those_for_development_beside_the_project() -> None:
    install = ".venv/bin/python -m pip install --quiet"

    assert runs({"requirements.txt": "", "requirements-dev.txt": "", "docs/requirements.txt": ""}) == [
        "python3 -m venv .venv",
        f"{install} -r requirements.txt -r requirements-dev.txt",
    ]
    assert runs({"setup.py": "", "requirements.txt": "", "requirements/test.txt": ""})[1] == (
        f"{install} -r requirements/test.txt -e ."
    )


@pytest.mark.parametrize("lock", ["", "package-lock.json", "pnpm-lock.yaml"])
def test_dependencies_that_no_lock_file_pins_are_named_with_the_line_that_installs_them(lock: str) -> None:
    files = {"package.json": '{"devDependencies": {"jest": "1"}}', "setup.py": "", **({lock: ""} if lock else {})}
    found = setup.find(tree(files).content)
    told = [*setup.problems(tree(files).content, found)]
    assert [problem.severity for problem in told] == ([] if lock else [Severity.WARNING])
    for problem in told:
        first, second = (json.dumps(command.run) for command in found.commands)
        assert f'setup = [{first}, {second}, "npm install --no-package-lock"]' in (problem.hint or "")
    alone = {"package.json": '{"dependencies": {}}'}
    assert [*setup.problems(tree(alone).content, setup.find(tree(alone).content))] == []


def test_a_time_limit_alone_leaves_a_gate_as_it_is_found() -> None:
    own = {"go-test": GateCommand("", minutes=90), "nox": GateCommand("", minutes=5)}

    gates, said = quality.find({"go.mod": b"module x\n", "a_test.go": b""}.get, own, change_id="x")

    limits = {gate.name: (gate.command, gate.minutes) for gate in gates if gate.name == "go-test"}
    assert limits == {"go-test": ("go test -json ./...", 90)}
    assert "no gate nox is found here, and the configuration has no command for it" in [
        problem.what for problem in said
    ]


def test_a_gate_that_is_switched_off_is_no_misspelt_one_where_a_repository_may_have_it() -> None:
    own = {"go-vet": False, "go-tests": False}

    _, said = quality.find({"go.mod": b"module x\n", "a_test.go": b""}.get, own, change_id="x")

    assert [problem.what for problem in said if "no gate has" in problem.what] == [
        "gates.go-tests = false: no gate has this name"
    ]
