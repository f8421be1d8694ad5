"""The OpenSpec CLI, `openspec` of `@fission-ai/openspec`: asked with JSON, telemetry off and stdin closed.

What is not installed, does not answer or answers in another form is an `OpenSpecError` with a reason for people;
nothing that a run relies on depends on this program.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from parallel_impl import structs
from parallel_impl.errors import printable
from parallel_impl.gates.quality import INSTALL, OFFLINE
from parallel_impl.gates.reports import OpenSpecStatus
from parallel_impl.processes.launch import Launch, Limits, Stops
from parallel_impl.processes.process import run
from parallel_impl.text import shorten
from parallel_impl.views.slot import OpenView

PROGRAM = "openspec"
HOW_TO_INSTALL = INSTALL[PROGRAM]
SECONDS = 60.0
OURS = ("contracts", "work-packages")  # artifacts of our schema: the plan itself says what it needs of them


class OpenSpecError(Exception):
    """The CLI could not do what was asked, in words for people; `code` is its own ("" where it gave none)."""

    def __init__(self, why: str, code: str = "") -> None:
        self.code = code
        super().__init__(printable(why))


class Artifact(msgspec.Struct, frozen=True, rename="camel"):
    """A text of a change, and whether it is `done`."""

    id: str
    output_path: str
    status: str


class ChangeStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of `openspec status --change <id> --json`."""

    artifacts: tuple[Artifact, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The paths of what is not there yet, without what only a plan needs."""
        return tuple(one.output_path for one in self.artifacts if one.status != "done" and one.id not in OURS)


class Archived(msgspec.Struct, frozen=True, rename="camel"):
    """Where `openspec archive` moved a change, below `openspec/changes/archive/`."""

    archived_as: str


class ArchiveAnswer(msgspec.Struct, frozen=True):
    """The answer of `openspec archive --json`."""

    archive: Archived | None = None


class OpenSpecRefusal(msgspec.Struct, frozen=True):
    """What the CLI prints with `--json` when it cannot do what was asked."""

    status: tuple[OpenSpecStatus, ...] = ()


T = TypeVar("T", bound=msgspec.Struct)


def find(env: Mapping[str, str]) -> str:
    """The path of the program, "" where it is not installed."""
    return shutil.which(PROGRAM, path=env.get("PATH")) or ""


def version(env: Mapping[str, str]) -> str:
    """The version that is installed."""
    return _ask(("--version",), Path.cwd(), env).decode(errors="replace").strip()


def status(
    change_id: str, folder: Path, env: Mapping[str, str], stop: Stops = None, view: OpenView | None = None
) -> ChangeStatus:
    """How complete the texts of a change are; `folder` holds its `openspec/`, as it is in the `view`."""
    return _decoded(_ask(("status", "--change", change_id, "--json"), folder, env, stop, view), ChangeStatus)


def archive(change_id: str, folder: Path, env: Mapping[str, str]) -> str:
    """Archive a change in `folder`, open boxes or not; the name that it has there now."""
    done = _decoded(_ask(("archive", change_id, "-y", "--json"), folder, env), ArchiveAnswer)
    if done.archive is None:
        raise OpenSpecError("openspec archive answered without saying what it archived")
    return done.archive.archived_as


def fork_schema(source: str, name: str, folder: Path, env: Mapping[str, str]) -> None:
    """Copy the schema `source` to `openspec/schemas/<name>/` in `folder`."""
    _ask(("schema", "fork", source, name, "--json"), folder, env)


def _ask(
    arguments: tuple[str, ...],
    folder: Path,
    env: Mapping[str, str],
    stop: Stops = None,
    view: OpenView | None = None,
) -> bytes:
    """What `openspec` prints. OpenSpecError where it fails, in its own words."""
    program = find(env)
    if not program:
        raise OpenSpecError(f"openspec is not installed: {HOW_TO_INSTALL}")
    with tempfile.TemporaryDirectory(prefix="pi-openspec-") as scratch:
        lines, log = list[bytes](), Path(scratch) / "log"
        launch = Launch(folder, {**env, **OFFLINE}, Limits(SECONDS), stop=stop, view=view)
        ended = run([program, *arguments], launch, log, heard=lines.append)
        printed, complained = b"\n".join(lines), log.read_text(errors="replace") if log.exists() else ""
    if ended.clean:
        return printed
    said = _refusal(printed)
    why = said.message if said else complained.strip() or printed.decode(errors="replace").strip()
    raise OpenSpecError(
        f"openspec {arguments[0]}: {ended}" + (f": {shorten(why, 500)}" if why else ""), said.code if said else ""
    )


def _refusal(printed: bytes) -> OpenSpecStatus | None:
    try:
        found = structs.decode(printed, OpenSpecRefusal).status
    except msgspec.DecodeError:
        return None
    return next(iter(found), None)


def _decoded(printed: bytes, kind: type[T]) -> T:
    try:
        return structs.decode(printed, kind)
    except msgspec.DecodeError as error:
        raise OpenSpecError(f"openspec answered in a form that is not known: {error}") from None
