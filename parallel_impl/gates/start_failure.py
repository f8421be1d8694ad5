"""A step whose own command could not be started: its program, or the module that its Python was told to run.

What a program that ran does not find (a `make` without its compiler) is that program's failure, and no such case.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from parallel_impl.errors import printable
from parallel_impl.gates import script
from parallel_impl.plan.model import Step
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.text import tail

NOT_STARTED = (126, 127)  # of a shell: found and not to be executed, not found
WHY = "(command not found|not found|No such file or directory|Permission denied|cannot execute.*|.*bad interpreter.*)"


def find(step: Step, ended: Ended, log: Path) -> str:
    """What of the step's own command could not be started: a program, or `<python> -m <module>`; "" when it started."""
    if ended.reason is Reason.NOT_STARTED:
        return printable(step.command[0]) if step.command else "its command"
    if ended.reason is not Reason.EXITED or ended.exit_code == step.expect_exit_code:
        return ""
    lines = tail(log, 40).splitlines()
    if ended.exit_code in NOT_STARTED:
        named = dict.fromkeys(call.program for call in calls(step) if call.program)
        return next((name for name in named if any(_refused(line, name) for line in lines)), "")
    return next((f"{call.program} -m {call.module}" for call in calls(step) if _unknown(call, lines)), "")


def calls(step: Step) -> tuple[script.Call, ...]:
    """The simple commands of a step."""
    if isinstance(step.command, str):
        return script.read(step.command).calls
    return (script.Call(step.command[0], module=script.module_of(step.command)),) if step.command else ()


def correction(wanted: str, setup: tuple[str, ...], source: str) -> str:
    """The line to write, for what `find` named; `setup` are the commands that are set up already."""
    program, _, module = wanted.partition(" -m ")
    if not module:
        return f"install {program}, let `setup` in {source} install it, or correct the command in the plan"
    package = module.partition(".")[0]
    every = dict.fromkeys((*setup, f"{program} -m pip install {package}"))
    line = ", ".join(json.dumps(command, ensure_ascii=False) for command in every)
    return f"write setup = [{line}] in {source}, or correct the command in the plan"


def _refused(line: str, program: str) -> bool:
    """Whether a shell reports that it could not start this program."""
    return bool(re.search(rf"(^|[:\s]){re.escape(program)}: {WHY}$", line))


def _unknown(call: script.Call, lines: list[str]) -> bool:
    """Whether Python reports, without a traceback, that there is no such module to run."""
    if not call.module:
        return False
    name = re.escape(call.module)
    said = rf"[^:]*python[^:]*: (No module named {name}(\.__main__)?(;.*)?|Error while finding module .*'{name}' .*)"
    return any(re.fullmatch(said, line) for line in lines)
