"""What the stub plays: the model's steps, and what goes wrong.

A step is one of `{"write": path, "text": …}`, `{"delete": path}`, `{"run": command}`, `{"say": text}`, or
`{"tool": name, "input": …}` as it is; a list of them is done side by side. Without steps a scenario plays the recorded
edits of the package that it is asked about (`fixtures/repos/*/replay/`). A fault has either a `status`, with `headers`
and a `message`, or a `stream` (`cut`, `pings`, `hang`, `error`) or a `stop` reason; `times` says how often, 0 always,
and `at` from which step on.
"""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.models.requests import Request

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "repos"
DELETE = "DELETE"
QUESTION = "Before I begin I have a question: which of the two ways do you prefer?"
LIMIT = "This request would exceed your account's rate limit. Please try again later."


@dataclass(frozen=True, slots=True)
class Write:
    """`before`: the text of a file that is there already; clients want such a file read first, or quoted."""

    path: str
    text: str
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    command: str


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Use:
    """A tool of the client's own, by name."""

    tool: str
    input: Any


Part = Write | Run | Say | Use
Step = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    stream: str = ""
    stop: str = ""
    times: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """`steps` None: the recorded edits. `before` come first in the first attempt; `loops`: the steps never end."""

    steps: tuple[Step, ...] | None = None
    before: tuple[Step, ...] = ()
    fault: Fault | None = None
    loops: bool = False

    def all_steps(self, request: Request) -> tuple[Step, ...]:
        """The steps for this request, the last word included."""
        last = (Say(f"All of {request.package or 'it'} is done and verified."),)
        steps = recorded(request) if self.steps is None else self.steps
        return (*(self.before if request.attempt == 1 else ()), *steps, last)


WORK = Scenario()
SCENARIOS: Mapping[str, Scenario] = {
    "work": WORK,
    "nothing": Scenario(steps=((Say(QUESTION),),)),
    "outside": Scenario(before=((Write("not-in-any-scope.txt", "x\n"),),)),
    "loop": Scenario(steps=((Run("true"),),), loops=True),
    "sleep": Scenario(before=((Run("echo begun; sleep 1234; true"),),)),
    "env": Scenario(before=((Run("env"),),)),
    "400": Scenario(fault=Fault(status=400, message="messages: the request is not valid")),
    "401": Scenario(fault=Fault(status=401, message="invalid x-api-key")),
    "403": Scenario(fault=Fault(status=403, message="Your API key does not have permission to use this model")),
    "404": Scenario(fault=Fault(status=404, message="model: there is no such model")),
    "429": Scenario(fault=Fault(status=429, message=LIMIT)),
    "429-twice": Scenario(fault=Fault(status=429, message=LIMIT, headers={"retry-after": "1"}, times=2)),
    "429-hour": Scenario(fault=Fault(status=429, message=LIMIT, headers={"retry-after": "3600"})),
    "quota": Scenario(fault=Fault(status=402)),
    "500": Scenario(fault=Fault(status=500, message="Internal server error")),
    "500-twice": Scenario(fault=Fault(status=500, message="Internal server error", times=2)),
    "529": Scenario(fault=Fault(status=529, message="Overloaded")),
    "cut": Scenario(fault=Fault(stream="cut")),
    "cut-once": Scenario(fault=Fault(stream="cut", times=1, at=1)),
    "pings": Scenario(fault=Fault(stream="pings")),
    "hang": Scenario(fault=Fault(stream="hang")),
    "stream-error": Scenario(fault=Fault(stream="error")),
    "max-tokens": Scenario(fault=Fault(stop="max_tokens")),
    "max-tokens-once": Scenario(fault=Fault(stop="max_tokens", times=1)),
    "refusal": Scenario(fault=Fault(stop="refusal")),
}


def parse(data: Mapping[str, Any]) -> Scenario:
    """A scenario from JSON."""
    steps = tuple(map(_step, data["steps"])) if "steps" in data else None
    before = tuple(map(_step, data.get("before", ())))
    fault = Fault(**data["fault"]) if "fault" in data else None
    return Scenario(steps, before, fault, data.get("loops", False))


def _step(data: Any) -> Step:
    return tuple(map(_part, data if isinstance(data, list) else [data]))


def _part(data: Mapping[str, Any]) -> Part:
    if "write" in data:
        return Write(data["write"], data["text"], data.get("before"))
    if "delete" in data:
        return _delete(data["delete"])
    if "run" in data:
        return Run(data["run"])
    if "say" in data:
        return Say(data["say"])
    return Use(data["tool"], data["input"])


def recorded(request: Request) -> tuple[Step, ...]:
    """The recorded edits of the package and attempt, one a step; of the last attempt before it that was recorded."""
    replay = _replay(request.change)
    if replay is None or not request.package:
        return ()
    package = replay / request.package
    for attempt in range(request.attempt, 0, -1):
        if (package / str(attempt)).is_dir():
            return tuple(_edits(package, attempt))
    return ()


def _replay(change: str) -> Path | None:
    fixtures = (FIXTURES.iterdir() if change else ()) if FIXTURES.is_dir() else ()
    found = (each for each in sorted(fixtures) if (each / "repo" / "openspec" / "changes" / change).is_dir())
    return next((each / "replay" for each in found), None)


def _edits(package: Path, attempt: int) -> Iterator[Step]:
    recorded = package / str(attempt)
    for source in sorted(recorded.rglob("*")):
        path = source.relative_to(recorded).as_posix()
        if source.is_symlink():
            folder = shlex.quote(posixpath.dirname(path) or ".")
            link = f"ln -sfn {shlex.quote(str(source.readlink()))} {shlex.quote(path)}"
            yield (Run(f"mkdir -p {folder} && {link}"),)
        elif source.is_file() and path != DELETE:
            yield (Write(path, source.read_text(), _before(package, attempt, path)),)
            if os.access(source, os.X_OK):
                yield (Run(f"chmod +x {shlex.quote(path)}"),)
    if (recorded / DELETE).is_file():
        yield from ((_delete(line),) for line in (recorded / DELETE).read_text().splitlines() if line.strip())


def _before(package: Path, attempt: int, path: str) -> str | None:
    """What the file held before: after an earlier attempt, or in the repository."""
    earlier = (package / str(number) / path for number in range(attempt - 1, 0, -1))
    places = (*earlier, package.parent.parent / "repo" / path)
    return next((place.read_text() for place in places if place.is_file()), None)


def _delete(path: str) -> Run:
    return Run(f"rm -r -- {shlex.quote(path)}")
