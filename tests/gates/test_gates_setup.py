"""Which set-up is found, how it runs, and which environments are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_impl.config import SetupCommand
from parallel_impl.gates import setup
from parallel_impl.gates.foreign import foreign_code


def reader(**files: str) -> Callable[[str], bytes | None]:
    named = {name.replace("__", ".").replace("_", "-"): content.encode() for name, content in files.items()}
    return named.get


def runs(found: setup.FoundSetup) -> list[str]:
    return [command.run for command in found.commands]


@pytest.fixture
def env() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}


def test_lock_files_decide_and_both_count() -> None:
    assert runs(setup.find(reader(uv__lock="", pyproject__toml="[project]\nname = 'x'"))) == ["uv sync --frozen"]
    assert runs(setup.find(reader(package_lock__json="{}"))) == ["npm ci"]
    assert runs(setup.find(reader(uv__lock="", package_lock__json="{}"))) == ["uv sync --frozen", "npm ci"]


def test_a_project_without_lock_is_installed_editable_with_its_dev_and_test_parts() -> None:
    found = setup.find(
        reader(
            pyproject__toml="""
        [project]
        name = "x"
        [project.optional-dependencies]
        Test = ["a"]
        docs = ["b"]
        [dependency-groups]
        dev = ["c>=1", {include-group = "lint"}]
        lint = ["ruff", {include-group = "dev"}]
        docs = ["d"]
        """
        )
    )

    assert runs(found) == [
        "python3 -m venv .venv",
        ".venv/bin/python -m pip install --quiet -e '.[Test]' 'c>=1' ruff",
    ]


def test_setup_py_counts_with_the_extras_of_setup_cfg() -> None:
    found = setup.find({"setup.py": b"", "setup.cfg": b"[options.extras_require]\ndev = a\nx = b\n"}.get)

    assert runs(found)[1] == ".venv/bin/python -m pip install --quiet -e '.[dev]'"


def test_nothing_is_found_where_nothing_is_and_another_lock_is_named() -> None:
    assert setup.find(reader()).commands == ()
    assert setup.find(reader(pyproject__toml="[tool.ruff]")).commands == ()
    assert setup.find(reader(pyproject__toml="not toml")).commands == ()
    other = setup.find(lambda name: b"" if name == "poetry.lock" else None)
    assert other.commands == ()
    assert "poetry install" in other.why


def test_set_up_runs_in_its_folder_by_the_shell_and_its_environment_is_used_by_the_next_command(
    tmp_path: Path, env: dict[str, str]
) -> None:
    (tmp_path / "web").mkdir()
    make = "mkdir -p .venv/bin && printf '#!/bin/sh\\necho mine\\n' > .venv/bin/tool && chmod +x .venv/bin/tool"
    commands = [SetupCommand(make), SetupCommand("tool > said; pwd; echo $UV_LINK_MODE", "web")]

    done = setup.make_ready(tmp_path, commands, env=env, log=tmp_path / "logs" / "setup.log")

    assert done.failure is None
    assert (tmp_path / "web" / "said").read_text() == "mine\n"
    assert (tmp_path / "logs" / "setup.log").read_text() == f"{tmp_path}/web\ncopy\n"
    assert setup.environment_of(tmp_path, env)["VIRTUAL_ENV"] == str(tmp_path / ".venv")


def test_set_up_that_fails_says_which_command_and_shows_the_end_of_its_log(tmp_path: Path, env: dict[str, str]) -> None:
    commands = [SetupCommand("echo fine"), SetupCommand("echo broken lock; false | cat"), SetupCommand("touch never")]

    done = setup.make_ready(tmp_path, commands, env=env, log=tmp_path / "setup.log")

    assert done.failure is not None
    assert "echo broken lock; false | cat: exit 1" in done.failure
    assert done.failure.endswith("fine\nbroken lock")
    assert not (tmp_path / "never").exists()


def test_programs_that_found_commands_need_are_looked_for_on_path(tmp_path: Path) -> None:
    (tmp_path / "npm").write_text("#!/bin/sh\n")
    (tmp_path / "npm").chmod(0o755)
    commands = [SetupCommand(line) for line in ("uv sync --frozen", "npm ci", ".venv/bin/python -m pip install -e .")]
    assert setup.missing_programs(commands, {"PATH": str(tmp_path)}) == ["uv"]


def test_set_up_in_a_folder_that_is_not_there_fails(tmp_path: Path, env: dict[str, str]) -> None:
    done = setup.make_ready(tmp_path, [SetupCommand("true", "gone")], env=env, log=tmp_path / "setup.log")

    assert done.failure == "set-up: its folder 'gone' is not there: true"


def test_an_environment_with_foreign_code_fails_set_up(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "user").mkdir()
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    link = "mkdir -p node_modules && ln -s ../../user node_modules/user"

    done = setup.make_ready(checkout, [SetupCommand(link)], env=env, log=tmp_path / "setup.log")

    assert done.failure is not None
    assert "node_modules/user: is a link to ../../user" in done.failure


# -- foreign code, by hand-made environments


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout" / ".venv" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    (tmp_path / "user" / "src").mkdir(parents=True)
    (tmp_path / "checkout" / "src").mkdir()
    return folder


def foreign(tmp_path: Path, *caches: Path) -> list[str]:
    return [line.replace(str(tmp_path), "TMP") for line in foreign_code(tmp_path / "checkout", caches)]


AT = ".venv/lib/python3.11/site-packages"


def test_a_path_file_that_leads_out_is_refused_and_one_that_stays_is_not(tmp_path: Path, packages: Path) -> None:
    (packages / "ok.pth").write_text(
        f"# comment\n{tmp_path}/checkout/src\n../../../../src\nimport _virtualenv\n/gone\n"
    )
    assert foreign(tmp_path) == []

    (packages / "x.pth").write_text(f"{tmp_path}/user/src\n")
    (packages / "y.pth").write_text(f"import sys; sys.path.insert(0, '{tmp_path}/user')\n")
    (packages / "z.pth").write_text("../../../../../user\n")
    assert foreign(tmp_path) == [
        f"{AT}/x.pth: names TMP/user/src",
        f"{AT}/y.pth: names TMP/user",
        f"{AT}/z.pth: names TMP/checkout/{AT}/../../../../../user",
    ]


def test_an_editable_finder_that_maps_a_package_to_outside_is_refused(tmp_path: Path, packages: Path) -> None:
    finder = "from __future__ import annotations\nMAPPING: dict[str, str] = {{'x': '{}/src'}}\nNAMESPACES = {{}}\n"
    (packages / "__editable___ok_0_1_finder.py").write_text(finder.format(tmp_path / "checkout"))
    (packages / "__editable___x_0_1_finder.py").write_text(finder.format(tmp_path / "user"))

    assert foreign(tmp_path) == [f"{AT}/__editable___x_0_1_finder.py: names TMP/user/src"]


def test_a_folder_that_was_installed_from_outside_is_refused(tmp_path: Path, packages: Path) -> None:
    urls = {
        "editable": {"url": f"file://{tmp_path}/user%20x", "dir_info": {"editable": True}},
        "copied": {"url": f"file://{tmp_path}/gone", "dir_info": {}},
        "own": {"url": f"file://{tmp_path}/checkout", "dir_info": {"editable": True}},
        "wheel": {"url": f"file://{tmp_path}/x.whl", "archive_info": {}},
        "odd": [],
    }
    for name, content in urls.items():
        (packages / f"{name}.dist-info").mkdir()
        (packages / f"{name}.dist-info" / "direct_url.json").write_text(json.dumps(content))

    assert foreign(tmp_path) == [
        f"{AT}/copied.dist-info/direct_url.json: names TMP/gone",
        f"{AT}/editable.dist-info/direct_url.json: names TMP/user x",
    ]


def test_links_that_leave_are_refused_but_interpreter_links_and_links_into_caches_are_not(
    tmp_path: Path, packages: Path
) -> None:
    checkout = tmp_path / "checkout"
    (tmp_path / "cache" / "dep").mkdir(parents=True)
    (checkout / ".venv" / "bin").mkdir()
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (checkout / ".venv" / "lib64").symlink_to("lib")
    (packages / "dep").symlink_to(tmp_path / "cache" / "dep")
    (checkout / "web" / "node_modules" / "@org").mkdir(parents=True)
    (checkout / "web" / "node_modules" / "ours").symlink_to("../../src")
    assert foreign(tmp_path, tmp_path / "cache") == []

    (packages / "lib.so").symlink_to(tmp_path / "user" / "lib.so")
    (checkout / "web" / "node_modules" / "@org" / "x").symlink_to(tmp_path / "user")
    assert foreign(tmp_path) == [
        f"{AT}/dep: is a link to TMP/cache/dep",
        f"{AT}/lib.so: is a link to TMP/user/lib.so",
        "web/node_modules/@org/x: is a link to TMP/user",
    ]


def test_links_are_listed_in_one_order_on_every_file_system(tmp_path: Path) -> None:
    modules = tmp_path / "checkout/node_modules"
    names = [f"{folder}{number}" for folder in ("", "b/", "a/", "a/c/") for number in (3, 1, 5, 2, 4)]
    for name in names:
        (modules / name).parent.mkdir(parents=True, exist_ok=True)
        (modules / name).symlink_to(tmp_path)
    listed = [*sorted(names[:5]), *sorted(names[10:15]), *sorted(names[15:]), *sorted(names[5:10])]
    assert foreign(tmp_path) == [f"node_modules/{name}: is a link to TMP" for name in listed]


def test_a_linked_or_copied_environment_is_refused(tmp_path: Path, packages: Path) -> None:
    other = tmp_path / "user" / ".venv"
    (other / "bin").mkdir(parents=True)
    (other / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (packages.parents[2] / "bin").mkdir()
    (packages.parents[2] / "bin" / "pytest").write_text(f"#!{other}/bin/python\n")
    (tmp_path / "checkout" / "api").mkdir()
    (tmp_path / "checkout" / "api" / ".venv").symlink_to(other)

    assert foreign(tmp_path) == [
        ".venv/bin/pytest: names TMP/user/.venv",
        "api/.venv: is a link to TMP/user/.venv",
    ]


def test_a_fifo_or_an_unreadable_finder_does_not_hang_or_crash(tmp_path: Path, packages: Path) -> None:
    os.mkfifo(packages / "x.pth")
    (packages / "__editable___x_finder.py").write_bytes(b"\xff\0 = '/etc/nowhere'")
    (packages / "y.dist-info").mkdir()
    (packages / "y.dist-info" / "direct_url.json").write_text("{")

    assert foreign(tmp_path) == []


def test_a_real_environment_is_accepted(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=checkout, check=True)

    assert foreign(tmp_path) == []
    assert foreign_code(checkout, everywhere=False) == []
