"""A real client that does the change of `fixtures/repos/one-note` in a whole run of the tool, its provider the stub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parallel_impl.record.events import AttemptEnded, Event, RunPaused
from parallel_impl.record.journal import read
from tests.models.scenario import SCENARIOS, Scenario
from tests.models.stub import Stub
from tests.repository import commit_all, git, living, make_repository, start

INSTALLED = Path(__file__).resolve().parents[2] / ".clients"
CHANGE = "add-note"
PACKAGE = "wp-note"
PLAYED = "played"  # the name of the scenario, in the address that the client is given
KEY = "sk-stub-0123456789-secret"


@dataclass(frozen=True, slots=True)
class Client:
    """How the tests configure one client: few retries, so that a refusal does not take minutes.

    `suffix` belongs to the address that its base URL wants; `url` names the variable of a client that is given the
    address by its environment.
    """

    kind: str
    program: str = ""
    model: str = ""
    suffix: str = ""
    url: str = ""
    provider: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def table(self, address: str, key: str) -> dict[str, object]:
        """Its table of the configuration, without what is empty."""
        address += self.suffix
        env = {**self.env, **({self.url: address} if self.url else {})}
        table: dict[str, object] = {"kind": self.kind, "key": key, "base_url": "" if self.url else address}
        table |= {"program": self.program, "model": self.model, "provider": self.provider, "args": list(self.args)}
        return {name: value for name, value in (table | {"env": env}).items() if value}


FEW = "-c=model_providers.parallel-impl.{}=2"
CLIENTS: Mapping[str, Client] = {
    "claude": Client("claude", env={"CLAUDE_CODE_MAX_RETRIES": "2"}),
    "codex": Client(
        "codex",
        model="gpt-5-codex",
        suffix="/v1",
        args=(FEW.format("request_max_retries"), FEW.format("stream_max_retries")),
    ),
    "anthropic": Client("anthropic", model="stub", args=("--silent-seconds=3", "--limit-seconds=4", "--tries=2")),
    "opencode": Client("opencode", model="stub/stub-model", suffix="/v1", env={"OPENCODE_DISABLE_MODELS_FETCH": "1"}),
    "gemini": Client("gemini", model="gemini-2.5-flash"),
    "copilot": Client("copilot", model="stub-model", suffix="/v1"),
    "qwen": Client("qwen", model="stub-model", suffix="/v1"),
    "acp": Client(
        "acp",
        program="claude-agent-acp",
        url="ANTHROPIC_BASE_URL",
        provider="anthropic",
        env={"CLAUDE_CODE_MAX_RETRIES": "2", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    ),
}


def missing(name: str) -> str:
    """Why a client cannot be driven here; "" when it can."""
    if name == "anthropic":
        return ""
    program = INSTALLED / "bin" / (CLIENTS[name].program or name)
    return "" if program.exists() else f"{name} is not installed: make clients"


@dataclass(slots=True)
class Scene:
    """A repository whose agent is `name`, with HOME and TMPDIR beside it."""

    name: str
    stub: Stub
    folder: Path
    plays: dict[str, Scenario]
    repo: Path = field(init=False)

    def __post_init__(self) -> None:
        self.repo = make_repository("one-note", self.folder)
        (self.folder / "home").mkdir()
        (self.folder / "tmp").mkdir()
        shutil.copy(Path.home() / ".gitconfig", self.folder / "home")

    def configure(self, *, retries: int = 0, **settings: object) -> None:
        """Let the client do the packages; more keys of `parallel-impl.toml` come in `settings`."""
        table = CLIENTS[self.name].table(self.stub.url(PLAYED), self._key)
        keys = {f"agents.{self.name}": table, **settings}
        with (self.repo / "parallel-impl.toml").open("a") as file:
            file.writelines(f"{name} = {toml(value)}\n" for name, value in keys.items())
        plan = self.repo / "openspec/changes" / CHANGE / "work-packages.yaml"
        plan.write_text(plan.read_text().replace("retry_budget: 1", f"retry_budget: {retries}"))
        commit_all(self.repo, f"The agent is {self.name}")

    def play(self, scenario: Scenario | str) -> None:
        """What the model does from now on."""
        self.plays[PLAYED] = SCENARIOS[scenario] if isinstance(scenario, str) else scenario

    @property
    def _key(self) -> str:
        """The variable of the key; for acp the client's own, because it has no other door for it."""
        return "ANTHROPIC_API_KEY" if self.name == "acp" else "STUB_KEY"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": f"{INSTALLED / 'bin'}{os.pathsep}{os.environ['PATH']}",
            self._key: KEY,
        }

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """One start of the run, in a process of its own; what it prints is in `said`."""
        with (self.folder / "said").open("ab") as said:
            return start(
                self.repo, "implement", CHANGE, "--agent", self.name, *words, env=self.environment, output=said.fileno()
            )

    def run(self, *words: str) -> int:
        """One run to its end; its exit code."""
        return self.start(*words).wait(timeout=300)

    def working(self, word: str, running: subprocess.Popen[bytes]) -> None:
        """Until a tool of the client has started a process with this word in its command line."""
        while not living(word):
            assert running.poll() is None, self.said()
            threading.Event().wait(0.05)

    def dies(self) -> list[str]:
        """What still lives ten seconds after the run is gone; the kernel ends a namespace in its own time."""
        for _ in range(200):
            if not self.survivors():
                break
            threading.Event().wait(0.05)
        return self.survivors()

    def said(self) -> str:
        return (self.folder / "said").read_text()

    @property
    def state(self) -> Path:
        return self.repo / ".git/parallel-impl" / CHANGE

    def attempt(self, number: int = 1) -> Path:
        return self.state / "attempts" / PACKAGE / str(number)

    def result(self, number: int = 1) -> dict[str, Any]:
        found = json.loads((self.attempt(number) / "result.json").read_bytes())
        assert isinstance(found, dict)
        return found

    def events(self) -> list[Event]:
        return list(read(self.state / "journal.jsonl"))

    def codes(self) -> list[str]:
        """How the attempts ended, in that order; "" for one that passed."""
        return [event.code for event in self.events() if isinstance(event, AttemptEnded)]

    def pauses(self) -> list[str]:
        """Why the run was paused, each time."""
        return [event.why.partition(":")[0] for event in self.events() if isinstance(event, RunPaused)]

    def summary(self) -> str:
        """What people are told at the end."""
        return (self.state / "summary.md").read_text()

    def landed(self) -> str:
        """What the note says on the feature branch."""
        return git(self.repo, "show", f"openspec/{CHANGE}:note.txt")

    def survivors(self) -> list[str]:
        """The processes that were started with this scene's HOME, wherever they are now."""
        mark, found = f"={self.folder}".encode(), list[str]()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        return found


def toml(value: object) -> str:
    """A value of TOML: strings, numbers and lists are written as in JSON, tables inline."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)
