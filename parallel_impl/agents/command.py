"""The agent that is any program: `command: my-agent {prompt_file}`, an argv template, no shell.

Scripts and tests use it too.
"""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from parallel_impl import storage
from parallel_impl.agents import program
from parallel_impl.agents.agent import AgentJob, Worked, judged
from parallel_impl.errors import Problem, UserError
from parallel_impl.processes import procfs, progress
from parallel_impl.processes.process import Ended, Reason, run
from parallel_impl.record.codes import Failure
from parallel_impl.record.result import AgentRecord
from parallel_impl.text import did_you_mean, end_of, useful

PLACEHOLDERS = ("prompt", "prompt_file", "worktree", "package_id", "change_id", "attempt", "result_file")
LONGEST_WORD = 128 * 1024 - 1  # bytes of one argument that Linux takes (MAX_ARG_STRLEN, its end included)
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Command:
    """The words of the template; in each, `{name}` of a known placeholder is replaced."""

    words: tuple[str, ...]
    name: str = field(default="command", compare=False)
    starts_processes: ClassVar[bool] = True
    provider: ClassVar[str] = ""
    most: ClassVar[int] = 0

    @classmethod
    def parse(cls, template: str) -> Command:
        """Split a template as a shell would; UserError for an empty one, an open quote, an unknown placeholder."""
        try:
            words = tuple(shlex.split(template))
        except ValueError as error:
            raise UserError(f"the agent's command cannot be split: {error}", where=template) from error
        if not words:
            raise UserError("the agent's command is empty", hint="write 'command: my-agent {prompt_file}'")
        for name in PLACEHOLDER.findall(" ".join(words)):
            if name not in PLACEHOLDERS:
                known = [f"{{{each}}}" for each in PLACEHOLDERS]
                hint = did_you_mean(f"{{{name}}}", known) or f"known: {', '.join(known)}"
                raise UserError(f"unknown placeholder {{{name}}}", where=template, hint=hint)
        return cls(words)

    def within(self, folder: Path) -> Command:
        """The same command, its program found from `folder` where it is a relative path: agents start elsewhere."""
        word = self.words[0]
        if "/" not in word or PLACEHOLDER.search(word):
            return self
        return replace(self, words=(str(folder / storage.expand(word)), *self.words[1:]))

    @property
    def record(self) -> AgentRecord:
        return AgentRecord(name=self.name, kind="command", program=self.words[0])

    @property
    def takes_prompt(self) -> bool:
        """Whether the prompt itself is one of its arguments, or a part of one."""
        return any("{prompt}" in word for word in self.words)

    def can_be_given(self, prompt: str) -> bool:
        """Whether this prompt fits into an argument, as far as that is known without a job."""
        return all(len(word.replace("{prompt}", prompt).encode()) <= LONGEST_WORD for word in self.words)

    def check(self) -> Problem | None:
        """A program that cannot be started, found before anything is started."""
        word = self.words[0]
        if PLACEHOLDER.search(word):
            return None
        install = "install it, or give its path: 'command: /path/to/program …'"
        return program.check(word, f"the agent's program {word!r}", install=install, where="--agent")

    def work(self, job: AgentJob) -> Worked:
        """Run the program in the worktree, the prompt on its stdin."""
        values = {
            "prompt_file": str(job.prompt_file),
            "worktree": str(job.launch.cwd),
            "package_id": job.package_id,
            "change_id": job.change_id,
            "attempt": str(job.attempt),
            "result_file": str(job.result_file),
        }
        if self.takes_prompt:
            values["prompt"] = job.prompt_file.read_text("utf-8")
        argv = [PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), word) for word in self.words]
        if any(len(word.encode(errors="surrogateescape")) > LONGEST_WORD for word in argv):
            why = "the prompt is too long for one argument (128 KiB): use {prompt_file}, or read it from standard input"
            return Worked(Ended(Reason.NOT_STARTED, None, 0.0, why=why), Failure.AGENT_FAILED, why)
        pulse = _Pulse(job)
        ended = run(
            argv, job.launch, job.log, stdin=job.prompt_file, progress=pulse.last_progress, started=pulse.started
        )
        return judged(ended, useful(end_of(job.log)))


class _Pulse:
    """What counts as progress of a program: output, CPU, and files when it is about to be ended for its silence."""

    def __init__(self, job: AgentJob) -> None:
        self._job, self._pid = job, 0
        self._silence = job.launch.limits.silence_seconds or progress.WINDOW
        self._busy = progress.Busy(self._used, self._silence)

    def started(self, pid: int) -> None:
        self._pid = pid
        self._job.started(pid)

    def _used(self) -> float | None:
        return procfs.cpu_seconds(self._pid) if self._pid else None

    def last_progress(self, output: float) -> float:
        last = max(output, self._busy.look())
        if time.monotonic() < last + self._silence:
            return last
        return max(last, progress.written(self._job.worktree, within=self._silence))
