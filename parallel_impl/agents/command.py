"""The agent that is any program: `command: my-agent {prompt_file}`, an argv template, no shell.

Scripts and tests use it too.
"""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from parallel_impl import storage
from parallel_impl.agents.agent import AgentJob
from parallel_impl.errors import Problem, UserError
from parallel_impl.processes.process import Ended, run
from parallel_impl.text import did_you_mean

PLACEHOLDERS = ("prompt_file", "worktree", "package_id", "change_id", "attempt", "result_file")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Command:
    """The words of the template; in each, `{name}` of a known placeholder is replaced."""

    words: tuple[str, ...]
    starts_processes: ClassVar[bool] = True

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
        program = self.words[0]
        if "/" not in program or PLACEHOLDER.search(program):
            return self
        return Command((str(folder / storage.expand(program)), *self.words[1:]))

    def check(self) -> Problem | None:
        """A program that is not on PATH, found before anything is started."""
        program = self.words[0]
        if PLACEHOLDER.search(program) or shutil.which(program):
            return None
        hint = "install it, or give its path in --agent 'command: …'"
        what = "is no program" if "/" in program else "is not on PATH"
        return Problem(f"the agent's program {program!r} {what}", where="--agent", hint=hint)

    def work(self, job: AgentJob) -> Ended:
        """Run the program in the worktree."""
        values = {
            "prompt_file": str(job.prompt_file),
            "worktree": str(job.worktree),
            "package_id": job.package_id,
            "change_id": job.change_id,
            "attempt": str(job.attempt),
            "result_file": str(job.result_file),
        }
        argv = [PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), word) for word in self.words]
        return run(argv, job.launch, job.log, started=job.started)
