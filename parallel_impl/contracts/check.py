"""The contracts of a change: where each lies, and what is wrong with it.

YAML and JSON are read and checked in a child process; Markdown, SQL, protobuf and other text must be there, be UTF-8
and not empty. Messages are the libraries' own, shortened, with the values of secret variables masked.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterator
from dataclasses import replace

from parallel_impl import environment
from parallel_impl.contracts import child_process, reading
from parallel_impl.contracts.child_process import DocumentVerdict, Read
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan import ids
from parallel_impl.plan.model import Package, Plan


def candidates(plan: Plan, path: str, folder: str) -> tuple[str, ...]:
    """Where a contract path of the plan may lie, from the repository root, best first; none if it leads outside.

    Against the change folder, then the root; a path that begins with `openspec/changes/<feature id>/` belongs to
    the plan's own folder (an archived plan still names the old one).
    """
    plain = posixpath.normpath(path)
    if not path.strip() or plain.startswith(("/", "..")) or "\\" in path or not path.isprintable():
        return ()
    own = f"{ids.folder(plan.feature_id)}/"
    inner = plain.removeprefix(own)
    first = posixpath.join(folder, inner) if plain.startswith(own) or folder else inner
    return tuple(dict.fromkeys((first, plain)))


def made_by(plan: Plan, package: Package, folder: str) -> list[str]:
    """The contracts, as the plan writes them, that are this package's output: those inside its write scope."""
    refused = package.scope.refusal
    return [path for path in plan.contracts.files if not all(map(refused, candidates(plan, path, folder)))]


def check(
    plan: Plan, read: Read, *, folder: str, openapi_seconds: float, only: Collection[str] | None = None
) -> list[Problem]:
    """Everything that is wrong with the contracts of `plan` (those in `only`, as the plan writes them, if given).

    `read` gives the bytes of a regular file by its path from the repository root, or None. `folder` is the change
    folder from there, "" for a plan outside one: then a missing contract is a warning. Without `only` a contract
    inside some package's write scope may be missing, and what is wrong with it is a warning; with it, it is due.
    """
    problems: list[Problem] = []
    written = dict(zip(plan.contracts.files, plan.contracts.written, strict=False))
    found: list[tuple[str, str, bytes]] = []
    for number, path in enumerate(plan.contracts.files):
        if only is not None and path not in only:
            continue
        where = plan.where(*written.get(path, ("contracts", "openapi", "files", number)))
        places = candidates(plan, path, folder)
        place, content = next(((p, c) for p in places if (c := read(p)) is not None), ("", None))
        if not places:
            hint = "write it relative to the change folder, e.g. contracts/openapi.yaml"
            problems.append(Problem(f"the contract {path!r} is not a path inside the repository", where, hint=hint))
        elif content is None:
            problems += _missing(plan, path, " and ".join(places), where, folder, due=only is not None)
        else:
            found.append((path, place, content))
    for path, wrong in _checked(found, read, openapi_seconds):
        lenient = only is None and wrong and path in _outputs(plan, folder)
        problems += [replace(problem, severity=Severity.WARNING) for problem in wrong] if lenient else wrong
    return problems


def _outputs(plan: Plan, folder: str) -> set[str]:
    return {path for package in plan.packages for path in made_by(plan, package, folder)}


def _missing(plan: Plan, path: str, looked: str, where: str, folder: str, *, due: bool) -> Iterator[Problem]:
    """The contract is nowhere: an error, unless some package is still to write it or nobody knows where to look."""
    if due:
        yield Problem(f"the contract {path} was not written", where, hint=f"looked for {looked}")
    elif not folder:
        what = f"the contract {path} was not found; the plan is outside its change folder, so it may lie elsewhere"
        yield Problem(what, where, hint=f"looked for {looked}", severity=Severity.WARNING)
    elif path not in _outputs(plan, folder):
        hint = f"looked for {looked}; write it, or put it into the write_allow of the package that makes it"
        yield Problem(f"the contract {path} does not exist", where, hint=hint)


def _checked(found: list[tuple[str, str, bytes]], read: Read, seconds: float) -> Iterator[tuple[str, list[Problem]]]:
    """Each contract as the plan writes it, with what is wrong with it; one child for all that need one."""
    marked = {path: content for _, path, content in found if path.lower().endswith(reading.MARKUP) and content.strip()}
    verdicts = dict(zip(marked, child_process.check(marked.items(), read, seconds=seconds), strict=True))
    for written, path, content in found:
        yield written, list(_judged(path, verdicts[path], seconds) if path in verdicts else _text(path, content))


def _text(path: str, content: bytes) -> Iterator[Problem]:
    """What is wrong with a contract that must only be text."""
    if not content.strip():
        yield Problem("the contract is empty", path, hint="write it, or take it off the plan")
    try:
        if "\0" in reading.decode(path, content):
            yield Problem("the contract is not text", path, hint="name a text file")
    except UserError as error:
        yield from error.problems


def _judged(path: str, verdict: DocumentVerdict, seconds: float) -> Iterator[Problem]:
    secrets = environment.secret_values(os.environ)
    for problem in verdict.problems:
        what, at = (environment.masked(text, secrets) for text in (problem.what, problem.path))
        yield replace(problem, what=what, path=at)
    if verdict.broken == "time":
        what = f"no answer about this document within {seconds:g} s"
        hint = f"give it more: contracts.openapi_seconds = {seconds * 6:g}, or split it"
        yield Problem(what, path, hint=f"{hint}; a pattern such as (a+)+ or a ladder of allOf takes for ever")
    elif verdict.broken == "MemoryError":
        what = f"the validator needs more than {child_process.MEMORY_MB} MB for this document"
        yield Problem(what, path, hint="split it into several files, each a contract of its own")
    elif verdict.broken in ("ImportError", "ModuleNotFoundError"):
        hint = "install this program again: pip install --force-reinstall parallel-implement"
        yield Problem("this document cannot be checked: openapi-spec-validator cannot be imported", path, hint=hint)
    elif verdict.broken:
        hint = "look for schemas that contain themselves, and for patterns or formats that are not standard"
        yield Problem(f"the validator could not read this document ({verdict.broken})", path, hint=hint)
