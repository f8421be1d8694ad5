"""The contracts of a change: where each lies, what it is, and whether it is sound.

Called by `run` in preflight (`check` on the base tree) and when a package is accepted (`check` with `only` on
its tree), and by `agents.prompt` through `candidates`. OpenAPI and JSON Schema are looked at by `plan.openapi`
and validated in a child process; other YAML and JSON must parse; Markdown, SQL, protobuf and other text must be
there, be UTF-8 and not empty. Messages hold pointers and rules, never a value of a file.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from parallel_impl.errors import Problem, Severity
from parallel_impl.plan import contract_process, markup, openapi, pointers
from parallel_impl.plan.contract_process import Job, Verdict
from parallel_impl.plan.model import Package, Plan
from parallel_impl.plan.openapi import Scanned
from parallel_impl.plan.references import DIALECTS
from parallel_impl.text import shorten

Read = Callable[[str], bytes | None]

LOCATED_BYTES = 1_000_000  # positions cost a second reading; above this the pointer alone has to do

RULES = {
    "required": "a required field is missing",
    "additionalProperties": "a field that is not known here",
    "unevaluatedProperties": "a field that is not known here",
    "type": "must be of another type",
    "enum": "must be one of the known values",
    "const": "must be the one known value",
    "pattern": "does not have the required form",
    "format": "does not have the required format",
    "minItems": "has too few entries",
    "minProperties": "has too few fields",
    "maxProperties": "has too many fields",
    "uniqueItems": "an entry is there twice",
    "dependentRequired": "a field that another one needs is missing",
    "not": "is not admitted here",
    "DuplicateOperationIDError": "the operationId is used by another operation too",
    "UnresolvableParameterError": "the path's {parameters} and the declared parameters in: path are not the same",
    "ParameterDuplicateError": "a parameter is declared twice",
    "ExtraParametersError": "required names a property that is not defined",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A contract that is there: as the plan writes it, where it lies, its bytes, and what becomes of it."""

    written: str
    path: str
    content: bytes
    problems: tuple[Problem, ...] = ()
    job: Job | None = None


def candidates(plan: Plan, path: str, folder: str) -> tuple[str, ...]:
    """Where a contract path of the plan may lie, from the repository root, best first; none if it leads outside.

    Against the change folder, then the root; a path that begins with `openspec/changes/<feature id>/` belongs to
    the plan's own folder (an archived plan still names the old one).
    """
    plain = posixpath.normpath(path)
    if not path.strip() or plain.startswith(("/", "..")) or "\\" in path or not path.isprintable():
        return ()
    own = f"openspec/changes/{plan.feature_id}/"
    inner = plain.removeprefix(own)
    first = posixpath.join(folder, inner) if plain.startswith(own) or folder else inner
    return tuple(dict.fromkeys((first, plain)))


def covers(package: Package, path: str) -> bool:
    """Whether `package` may write `path`."""
    return not package.scope.refusal(path)


def made_by(plan: Plan, package: Package, folder: str) -> list[str]:
    """The contracts, as the plan writes them, that are this package's output: those inside its write scope."""
    return [path for path in _files(plan) if any(covers(package, place) for place in candidates(plan, path, folder))]


def check(
    plan: Plan, read: Read, *, folder: str, openapi_seconds: float, only: Collection[str] | None = None
) -> list[Problem]:
    """Everything that is wrong with the contracts of `plan` (those in `only`, as the plan writes them, if given).

    `read` gives the bytes of a regular file by its path from the repository root, or None. `folder` is the change
    folder from there, "" for a plan outside one: then a missing contract is a warning. Without `only` a contract
    inside some package's write scope may be missing, and what is wrong with it is a warning; with it, it is due.
    """
    problems: list[Problem] = []
    found: list[_Found] = []
    for number, path in enumerate(_files(plan)):
        if only is not None and path not in only:
            continue
        where = plan.where("contracts", "openapi", "files", number)
        places = candidates(plan, path, folder)
        place, content = next(((p, c) for p in places if (c := read(p)) is not None), ("", None))
        if not places:
            hint = "write it relative to the change folder, e.g. contracts/openapi.yaml"
            problems.append(Problem(f"the contract {path!r} is not a path inside the repository", where, hint=hint))
        elif content is None:
            problems += _missing(plan, path, places, where, folder, due=only is not None)
        else:
            found.append(_look(path, place, content, read, folder))
    for one, wrong in zip(found, _validate(found, openapi_seconds), strict=True):
        lenient = only is None and wrong and one.written in _outputs(plan, folder)
        problems += [replace(problem, severity=Severity.WARNING) for problem in wrong] if lenient else wrong
    return problems


def _files(plan: Plan) -> list[str]:
    contracts = plan.contracts
    extra = [contracts.primary] if contracts.primary and contracts.primary not in contracts.files else []
    return list(dict.fromkeys((*contracts.files, *extra)))


def _outputs(plan: Plan, folder: str) -> set[str]:
    return {path for package in plan.packages for path in made_by(plan, package, folder)}


def _missing(
    plan: Plan, path: str, places: Collection[str], where: str, folder: str, *, due: bool
) -> Iterator[Problem]:
    """The contract is nowhere: an error, unless some package is still to write it or nobody knows where to look."""
    looked = " and ".join(places)
    if due:
        yield Problem(f"the contract {path} was not written", where, hint=f"looked for {looked}")
    elif not folder:
        what = f"the contract {path} was not found; the plan is outside its change folder, so it may lie elsewhere"
        yield Problem(what, where, hint=f"looked for {looked}", severity=Severity.WARNING)
    elif path not in _outputs(plan, folder):
        hint = f"looked for {looked}; write it, or put it into the write_allow of the package that makes it"
        yield Problem(f"the contract {path} does not exist", where, hint=hint)


def _look(written: str, path: str, content: bytes, read: Read, folder: str) -> _Found:
    """What a contract is, what is wrong at first sight, and the job that is left for a validator."""
    found = _Found(written, path, content)
    if not content.strip():
        return replace(
            found, problems=(Problem("the contract is empty", path, hint="write it, or take it off the plan"),)
        )
    try:
        if not path.lower().endswith((".json", ".yaml", ".yml")):
            binary = "\0" in markup.decode(content)
            return replace(
                found, problems=(Problem("the contract is not text", path, hint="name a text file"),) * binary
            )
        data = openapi.parse(path, content)
    except markup.MarkupError as error:
        where = f"{path}:{error.place[0]}:{error.place[1]}" if error.place else path
        return replace(found, problems=(Problem(error.what, where, hint=error.hint),))
    if openapi.is_openapi(data):
        return _scanned(found, "openapi", data, openapi.scan_openapi(path, data, read, (folder,) if folder else ()))
    if openapi.is_schema(path, data):
        found = _scanned(found, "schema", data, openapi.scan_schema(path, data))
        dialect = data.get("$schema") if isinstance(data, dict) else None
        if isinstance(dialect, str) and not DIALECTS.fullmatch(dialect):
            what = "its $schema is no published draft and is not fetched: checked as draft 2020-12"
            said = Problem(what, path, "/$schema", severity=Severity.NOTICE)
            return replace(found, problems=(*found.problems, said))
    return found


def _scanned(found: _Found, kind: str, data: Any, scanned: Scanned) -> _Found:
    """The contract with what the look at its structure found, or else with its job for a validator."""
    if not scanned.findings:
        as_it_is = found.path.lower().endswith(".json") and not scanned.bundled
        return replace(found, job=Job(kind, markup.decode(found.content) if as_it_is else json.dumps(data)))
    places = _places(found.content, [one.pointer for one in scanned.findings if one.path == found.path])
    problems = []
    for one in scanned.findings:
        where = places.get(one.pointer, one.path) if one.path == found.path else one.path
        where = where if isinstance(where, str) else f"{one.path}:{where[0]}:{where[1]}"
        problems.append(Problem(one.what, where, pointers.shown(one.pointer), one.hint))
    return replace(found, problems=tuple(problems))


def _validate(found: Collection[_Found], seconds: float) -> Iterator[list[Problem]]:
    """The problems of each contract, those of the validators included; one child for all of them."""
    jobs = [one.job for one in found if one.job]
    verdicts = iter(contract_process.validate(jobs, seconds=seconds) if jobs else ())
    for one in found:
        yield [*one.problems, *(_judged(one, one.job.kind, next(verdicts), seconds) if one.job else ())]


def _judged(found: _Found, kind: str, verdict: Verdict, seconds: float) -> Iterator[Problem]:
    name = "OpenAPI document" if kind == "openapi" else "JSON Schema"
    if verdict.broken == "time":
        what = f"no answer about this {name} within {seconds:g} s; structure, references and rings are in order"
        yield Problem(what, found.path, hint=f"give it more: contracts.openapi_seconds = {seconds * 6:g}, or split it")
    elif verdict.broken == "memory":
        what = f"the validator needs more than {contract_process.MEMORY_MB} MB for this {name}"
        yield Problem(what, found.path, hint="split it into several files, each a contract of its own")
    elif verdict.broken == "import":
        hint = "install this program again: pip install --force-reinstall parallel-implement"
        yield Problem(
            f"this {name} cannot be checked: openapi-spec-validator cannot be imported", found.path, hint=hint
        )
    elif verdict.broken:
        hint = "look for schemas that contain themselves, and for patterns or formats that are not standard"
        yield Problem(f"the validator could not read this {name} ({verdict.broken})", found.path, hint=hint)
    places = _places(found.content, [tuple(error["place"]) for error in verdict.errors])
    for error in verdict.errors:
        yield _error(found, tuple(error["place"]), str(error["rule"]), [str(one) for one in error["names"]], places)


def _error(
    found: _Found,
    pointer: pointers.Pointer,
    rule: str,
    names: list[str],
    places: Mapping[pointers.Pointer, markup.Place],
) -> Problem:
    of_default, rule = rule.startswith("default: "), rule.removeprefix("default: ")
    what = RULES.get(rule, f"breaks the rule {rule!r}")
    what = f"the default does not fit its own schema: {what}" if of_default else what
    listed = ", ".join(shorten(name, 60) for name in names)
    place = next((places[pointer[:end]] for end in range(len(pointer), -1, -1) if pointer[:end] in places), None)
    where = f"{found.path}:{place[0]}:{place[1]}" if place else found.path
    if rule == "type" and names:
        hint = f"must be: {' or '.join(names)}; quote numbers and words that are meant as text"
        return Problem(what, where, pointers.shown(pointer), hint)
    return Problem(f"{what}: {listed}" if listed else what, where, pointers.shown(pointer), "correct it there")


def _places(content: bytes, wanted: Iterable[pointers.Pointer]) -> dict[pointers.Pointer, markup.Place]:
    """Where these pointers and all above them stand in the file, as far as that is cheap to say."""
    if len(content) > LOCATED_BYTES:
        return {}
    return pointers.locate(markup.decode(content), {one[:end] for one in wanted for end in range(len(one) + 1)})
