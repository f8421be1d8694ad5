"""`parallel-impl init`: what a repository gets once, so that changes in it can be planned and run.

Everything is worked out first, then written: what is there already is left as it is, and asked about where it differs.
Nothing is committed.
"""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl import config, storage
from parallel_impl.agents import readiness
from parallel_impl.errors import UserError, count
from parallel_impl.gates import project_files, quality, setup
from parallel_impl.git.repo import Repo
from parallel_impl.openspec import commands, program, workflow
from parallel_impl.openspec.program import OpenSpecError
from parallel_impl.plan import ids, parts
from parallel_impl.storage import read_regular, write_atomically
from parallel_impl.text import did_you_mean

LARGEST = 4_000_000
METADATA = ".openspec.yaml"
SCHEMAS = f"openspec/schemas/{workflow.NAME}"


@dataclass(slots=True)
class InitReport:
    """What was written, what was there already and is the same, and what was left as it is."""

    written: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The report for people, with the lines that commit what was written."""
        found = [*(f"wrote {path}" for path in self.written), *(f"left as it is: {path}" for path in self.left)]
        found += [f"{count(len(self.same), 'file')} as wanted already"] if self.same else []
        found += self.remarks
        if self.written:
            paths = " ".join(shlex.quote(f":/{path}") for path in self.written)
            found += [
                "a run reads what is committed:",
                f"    git add -- {paths}",
                '    git commit -m "Set up parallel-implement"',
            ]
        return found


def initialize(
    repo: Repo,
    folder: Path,
    env: Mapping[str, str],
    *,
    change_id: str,
    skills: bool,
    replace: Callable[[str], bool],
) -> InitReport:
    """Write everything into the worktree that `folder` lies in. `replace` is asked before a file is overwritten.

    UserError where there is no `openspec/`, no worktree, or no such change.
    """
    top = repo.top(folder)
    if top is None:
        raise UserError("a bare repository has no files", hint="give the command in a worktree of it")
    part = _part(top, folder, env)
    report = InitReport()
    wanted: dict[str, str] = {}
    try:
        pins = _pins(top / part, change_id)
        wanted |= _schema(top / part, env) | pins
    except OpenSpecError as error:
        report.left += [f"{ids.folder(change_id)}/{METADATA} (there is no schema to pin it to)"] if change_id else []
        report.remarks.append(f"no schema was written: {error}; then give the same command again")
    wanted = {f"{part}/{path}" if part else path: text for path, text in wanted.items()}
    wanted |= _configuration(top, env, report)
    if skills:
        there = [name for name in commands.FOLDERS if (top / name).is_dir()]
        wanted |= dict(commands.files(there or commands.FOLDERS))
    chosen = [path for path, text in wanted.items() if _is_to_write(top, path, text, replace, report)]
    for path in chosen:  # after all questions: an answer that ends the command leaves nothing half written
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(top / path, wanted[path].encode())
        report.written.append(path)
    return report


def _part(top: Path, folder: Path, env: Mapping[str, str]) -> str:
    """The folder whose `openspec/` is meant, from the top."""
    here = storage.real(folder).relative_to(storage.real(top)).as_posix()
    for part in parts.above("" if here == "." else here):
        if (top / part / "openspec").is_dir():
            return part
    install = "" if program.find(env) else f"{program.HOW_TO_INSTALL} && "
    raise UserError("there is no openspec/ here", where=str(folder), hint=f"make it: {install}openspec init")


def _schema(place: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The files of our schema: a fork of OpenSpec's own, or the one that is there, with our artifacts."""
    there = {path.relative_to(place).as_posix(): _read(path) for path in sorted((place / SCHEMAS).rglob("*"))}
    found = {path: text for path, text in there.items() if text is not None}
    if f"{SCHEMAS}/schema.yaml" not in found:
        found = _forked(env)
    schema = f"{SCHEMAS}/schema.yaml"
    try:
        found[schema] = workflow.with_packages(found[schema])
    except ValueError as error:
        hint = "repair it, or remove its folder: init makes it again"
        raise UserError(str(error), where=str(place / schema), hint=hint) from None
    for name, text in workflow.TEMPLATES.items():
        found.setdefault(f"{SCHEMAS}/templates/{name}", text)
    configured = place / "openspec/config.yaml"
    if not configured.exists() and (place / "openspec/config.yml").exists():
        configured = configured.with_suffix(".yml")
    found[f"openspec/{configured.name}"] = workflow.with_schema(_read(configured) or "")
    return found


def _forked(env: Mapping[str, str]) -> dict[str, str]:
    """What `openspec schema fork` writes, made aside."""
    with tempfile.TemporaryDirectory(prefix="pi-init-") as scratch:
        aside = storage.real(Path(scratch))
        (aside / "openspec").mkdir()
        storage.write(aside / "openspec/config.yaml", f"schema: {workflow.SOURCE}\n".encode())
        program.fork_schema(workflow.SOURCE, workflow.NAME, aside, env)
        files = sorted(path for path in (aside / SCHEMAS).rglob("*") if path.is_file())
        found = {path.relative_to(aside).as_posix(): path.read_text("utf-8") for path in files}
    if f"{SCHEMAS}/schema.yaml" not in found:
        raise OpenSpecError("openspec schema fork left no schema")
    return found


def _pins(place: Path, change_id: str) -> dict[str, str]:
    """The metadata of an older change that named another schema."""
    if not change_id:
        return {}
    ids.check(change_id)
    change = place / ids.folder(change_id)
    if not change.is_dir():
        known = [path.name for path in change.parent.glob("*") if path.is_dir() and path.name != "archive"]
        raise UserError(f"there is no change {change_id!r}", where="--change", hint=did_you_mean(change_id, known))
    return {f"{ids.folder(change_id)}/{METADATA}": workflow.with_schema(_read(change / METADATA) or "")}


def _configuration(top: Path, env: Mapping[str, str], report: InitReport) -> dict[str, str]:
    """A commented `parallel-impl.toml` with what is found here; none where there is a configuration already."""

    def read(path: str) -> bytes | None:
        file = top / path
        return read_regular(file, LARGEST) if file.is_file() else None

    there = read(config.FILE), read("pyproject.toml")
    if there[0] is not None:
        report.same.append(config.FILE)
        return {}
    if there[1] is not None and "parallel-impl" in project_files.table(project_files.toml(there[1]), "tool"):
        report.remarks.append(f"no {config.FILE} was written: {config.SECTION} is there")
        return {}
    return {config.FILE: describe_configuration(read, [name for name in readiness.INSTALL if _on_path(name, env)])}


def describe_configuration(read: Callable[[str], bytes | None], agents: list[str]) -> str:
    """The text of a configuration, each key with what it means; `agents` are those that are on PATH."""
    found = setup.find(read)
    lines = [command.run for command in found.commands]
    gates, _ = quality.find(read, {}, change_id="<change-id>")
    known = ", ".join(agents) or "none of " + ", ".join(readiness.INSTALL)
    return "".join(
        [
            '# What parallel-implement does in this repository; all keys: README, "Configuration". A run reads this\n'
            "# from the commit that it starts on. A line with # shows what holds without it.\n\n"
            f'# Who does the packages. On PATH here: {known}. Any program: "command: my-agent {{prompt_file}}"\n',
            f'agent = "{agents[0]}"\n' if agents else '# agent = "claude"\n',
            "\n# How many agents work at once.\n# jobs = 4\n",
            f"\n# What makes a checkout able to work, run once for all that it serves ({found.why}).\n",
            f"# setup = {json.dumps(lines)}\n",
            "\n# What runs on the whole before it lands, and on the base first: old failures are told from new ones.\n",
            *_gate_lines(gates),
            "\n# What each package, and the whole run, may use.\n",
            "# limits = {package = {dollars = 5}, run = {dollars = 50}}\n",
            '\n# Files that every agent is shown.\n# standards = ["docs/style.md"]\n',
        ]
    )


def _gate_lines(gates: list[quality.Gate]) -> Iterator[str]:
    for gate in gates:
        if gate.texts:
            yield "# gates.openspec = false   # switches `openspec validate` off, which checks the texts of a change\n"
        else:
            key, command = config.toml_key(gate.name), json.dumps(gate.command)
            yield f"# gates.{key} = {{command = {command}, parser = {json.dumps(gate.parser)}}}   # {gate.found}\n"
    if not any(gate.tests for gate in gates):
        yield '# gates.tests = {command = "make test"}   # none was found: without one, nothing proves the whole\n'


def _on_path(name: str, env: Mapping[str, str]) -> bool:
    return shutil.which(name, path=env.get("PATH")) is not None


def _read(file: Path) -> str | None:
    content = read_regular(file, LARGEST) if file.is_file() else None
    try:
        return content.decode("utf-8") if content is not None else None
    except UnicodeDecodeError as error:
        raise UserError(f"no UTF-8 text: {error.reason}", where=str(file), hint="save it as UTF-8") from None


def _is_to_write(top: Path, path: str, text: str, replace: Callable[[str], bool], report: InitReport) -> bool:
    if any((top / one).is_symlink() for one in (Path(path), *Path(path).parents[:-1])):
        report.left.append(f"{path} (a link, or behind one)")  # which may lead out of the repository
        return False
    before = _read(top / path)
    if before == text:
        report.same.append(path)
        return False
    if before is not None and not replace(path):
        report.left.append(path)
        return False
    return True
