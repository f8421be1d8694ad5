"""When a set-up that ran once serves another commit: its inputs are those that it read, and what appears by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.config import SetupCommand
from parallel_impl.gates import setup_inputs
from parallel_impl.git.repo import Change

UV = (SetupCommand("uv sync --frozen"),)
AT = Path("/home/me/shop.worktrees/_checkout/shop")
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/home/me", "PIP_INDEX_URL": "https://index.example"}
INPUTS = {"pyproject.toml": "100644 1", "uv.lock": "100644 2", "src/shop/__init__.py": "100644 3"}


def edited(path: str) -> Change:
    return Change("100644", "100644", "1" * 40, "2" * 40, "M", path)


def added(path: str) -> Change:
    return Change("000000", "100644", "0" * 40, "2" * 40, "A", path)


def gone(path: str) -> Change:
    return Change("100644", "000000", "1" * 40, "0" * 40, "D", path)


@pytest.mark.parametrize("path", INPUTS)
def test_a_file_that_set_up_read_is_an_input(path: str) -> None:
    assert setup_inputs.reason([edited("README.md"), edited(path)], INPUTS) == path
    assert setup_inputs.reason([gone(path)], INPUTS) == path


@pytest.mark.parametrize(("before", "after"), [("160000", "160000"), ("000000", "160000"), ("160000", "000000")])
def test_a_submodule_is_always_an_input(before: str, after: str) -> None:
    change = Change(before, after, "1" * 40, "2" * 40, "M", "vendor/lib")
    assert setup_inputs.reason([change], INPUTS) == "vendor/lib"


@pytest.mark.parametrize("path", ["README.md", "src/shop/cart.py", "web/package.json", "tests/__init__.py"])
def test_a_file_that_it_did_not_read_is_none(path: str) -> None:
    assert setup_inputs.reason([edited(path), gone(path)], INPUTS) == ""


@pytest.mark.parametrize(
    "path", [".npmrc", "web/package.json", "requirements-dev.txt", "poetry.lock", "warehouse/__init__.py",
    "src/warehouse/__init__.py", "setup.cfg"],
)  # fmt: skip
def test_a_new_file_that_installers_look_for_is_an_input(path: str) -> None:
    assert setup_inputs.reason([added(path)], INPUTS) == path


@pytest.mark.parametrize(
    "path", ["src/shop/orders/__init__.py", "docs/setup.md", "src/shop/lock.py", "a/b/__init__.py"]
)
def test_other_new_files_are_none(path: str) -> None:
    assert setup_inputs.reason([added(path)], INPUTS) == ""


def test_a_new_file_that_is_like_what_was_read_in_a_listed_folder_is_an_input() -> None:
    read = dict.fromkeys(["native/*.c", "native/a.c", "README.md", "*.md", "bin/*", "bin/run"], "")
    paths = ["native/b.c", "native/b.h", "native/deep/b.c", "b.c", "NEWS.md", "bin/go", "bin/go.py"]
    assert [path for path in paths if setup_inputs.reason([added(path)], read)] == ["native/b.c", "bin/go"]
    assert setup_inputs.reason([edited("native/b.c")], read) == ""


def test_what_the_configuration_declares_is_an_input() -> None:
    changes = [edited("proto/shop.proto")]
    assert setup_inputs.reason(changes, INPUTS) == ""
    assert setup_inputs.reason(changes, INPUTS, declared=["proto/**"]) == "proto/shop.proto"


def test_where_reading_is_not_seen_every_known_name_counts() -> None:
    changes = [edited("web/package.json")]
    assert setup_inputs.reason(changes, {}) == ""
    assert setup_inputs.reason(changes, {}, reads_seen=False) == "web/package.json"
    assert setup_inputs.reason([edited("src/shop/cart.py")], {}, reads_seen=False) == ""


def test_the_key_is_the_same_for_the_same_set_up() -> None:
    same = setup_inputs.key(UV, AT, env=ENV)
    passing = {**ENV, "PWD": "/elsewhere", "TMPDIR": "/tmp/x", "PARALLEL_IMPL_PORT": "1", "PIP_PASSWORD": "x", "K": "1"}
    assert setup_inputs.key(UV, AT, env=passing, secrets=["K"]) == same


@pytest.mark.parametrize("differs", ["command", "cwd", "place", "environment", "filter", "program", "interpreter"])
def test_another_key_for_another_set_up(differs: str, tmp_path: Path) -> None:
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    env = {**ENV, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    before = setup_inputs.key(UV, AT, env=env)
    commands, at, filters = UV, AT, []
    if differs == "command":
        commands = (SetupCommand("uv sync"),)
    elif differs == "cwd":
        commands = (SetupCommand("uv sync --frozen", "web"),)
    elif differs == "place":
        at = AT.with_name("other")
    elif differs == "environment":
        env["PIP_INDEX_URL"] = "https://other.example"
    elif differs == "filter":
        filters = [("filter.lfs.clean", "git-lfs clean")]
    elif differs == "interpreter":
        (tmp_path / "python3").symlink_to(program)
    else:
        program.write_text("#!/bin/sh\n# another version\n")
    assert setup_inputs.key(commands, at, env=env, filters=filters) != before


@pytest.mark.parametrize(
    ("lines", "locked"),
    [
        (["uv sync --frozen --all-packages"], True),
        (["npm ci"], True),
        (["python3 -m venv .venv", ".venv/bin/python -m pip install --require-hashes -r requirements.txt"], True),
        (["python3 -m venv .venv", ".venv/bin/python -m pip install -e ."], False),
        (["npm install"], False),
        (["npm ci", "make generated"], False),
        (["cd web && npm ci --ignore-scripts"], True),
        (["python3 -m venv .venv && .venv/bin/pip install -e ."], False),
        (["npm ci && npm run build"], False),
        (["npm ci || npm install"], False),
        (["npm ci; npm install left-pad"], False),
        ([], False),
    ],
)
def test_only_what_a_lock_file_settles_is_kept_for_other_runs(lines: list[str], *, locked: bool) -> None:
    assert setup_inputs.is_locked([SetupCommand(line) for line in lines]) == locked


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ('echo "PORT=$PARALLEL_IMPL_PORT" >.env', "PARALLEL_IMPL_PORT in setup"),
        ("createdb ${PARALLEL_IMPL_NAME}", "PARALLEL_IMPL_NAME in setup"),
        ("docker compose up -d", "docker compose in setup"),
        ("sh scripts/dev.sh", "PARALLEL_IMPL_PORTS in scripts/dev.sh"),
        ("composer install && echo $PARALLEL_IMPL_REPOSITORY", ""),
    ],
)
def test_a_set_up_that_names_what_is_the_checkouts_own_serves_no_other(tmp_path: Path, command: str, told: str) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/dev.sh").write_text("set -- $PARALLEL_IMPL_PORTS\n")
    (tmp_path / "README.md").write_text("With PARALLEL_IMPL_NAME …\n")
    read = ["README.md", "gone", "scripts/*.sh", *(["scripts/dev.sh"] if "dev.sh" in command else [])]
    assert setup_inputs.own([SetupCommand(command)], tmp_path, read) == told
