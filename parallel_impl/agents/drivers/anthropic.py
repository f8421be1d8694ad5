"""Our own agent on the `anthropic` SDK, for people who have a key and no client.

It is the program `python -m parallel_impl.agents.drivers.anthropic`: an order (`dialects.driven`) and the prompt come
on stdin, activities go to stdout, one a line. Exit code 0 only when the model says that it is done. TERM ends it at
once, with what its tools started.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from anthropic.types.beta import BetaMessage, BetaToolUseBlock

from parallel_impl.agents.dialects.driven import DriverOrder
from parallel_impl.agents.drivers import standard_io, tools
from parallel_impl.agents.drivers.model import Model, ModelError, Patience
from parallel_impl.agents.drivers.reach import Reach
from parallel_impl.agents.drivers.shell import Shell
from parallel_impl.agents.drivers.standard_io import conclude, tell
from parallel_impl.agents.drivers.tools import Toolbox
from parallel_impl.plan.model import Scope
from parallel_impl.processes import orphans
from parallel_impl.processes.launch import Stop
from parallel_impl.record.activity import Answered, Called, Changed, Denied, Limited, Opened, Said, Usage, Used, cut

CUT_ANSWERS = 3  # answers one after the other that reach the limit of tokens
NOT_FOR_TOOLS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
ENDED = 128 + signal.SIGTERM

SYSTEM = """\
You are a software engineer who implements one work package of a larger change, alone and without a person to ask. You \
work in a git worktree of your own, {root}; other engineers work on the other packages at the same time, in worktrees \
that you do not see. When you end, the files that lie here are taken, checked against the package's write scope, and \
verified in a fresh checkout by the steps that the task names.

How to work:
- Read before you write: the task, the documents and contracts that it names, the code that is there, its tests. \
Follow the conventions of the repository.
- Do all of the package and nothing else. Never write outside the scope, not with the shell either: one file outside \
makes the whole attempt fail. When the work cannot be done inside it, do what can be done and say what is missing.
- Prefer the editor to the shell for changes of files. Use grep and glob to find your way.
- Run what verifies your work, as the task names it, and fix what fails before you end. Do not weaken or delete tests \
to make them pass.
- Nobody answers questions. Where something is open, choose what the task, the contracts and the code suggest, and \
mention it at the end.
- When all is done and verified, answer with a short summary without calling a tool: that ends your work.\
"""

FOR_ANSWER = """\
You are a senior software engineer who answers one question, alone and without a person to ask. Everything that you \
may know is in the question. You work in a folder of your own, {root}; write the file {answer} there with the editor, \
and nothing else. Where something is open, choose what the material suggests, and say so in the answer where it has \
room for it. When the file is written, answer with one line without calling a tool: that ends your work.\
"""


class Conversation:
    """One prompt, worked at until the model is done or a limit is reached."""

    def __init__(self, order: DriverOrder, prompt: str, model: Model, toolbox: Toolbox) -> None:
        self.order = order
        self.model = model
        self.toolbox = toolbox
        words = FOR_ANSWER if order.answer else SYSTEM
        self.system = words.format(root=toolbox.reach.root, answer=order.answer)
        self.messages: list[Any] = [{"role": "user", "content": prompt}]
        self.used = Usage(turns=0)
        self.cut_answers = 0

    def work(self) -> int:
        """The exit code."""
        while True:
            if over := self._over():
                return conclude(over, code="BUDGET_EXCEEDED")
            if self.model.seconds_left() <= 0:
                return conclude("its time is up")
            try:
                answer = self.model.answer(self.system, tools.DEFINITIONS, self.messages)
            except ModelError as failure:
                if failure.limited:
                    tell(failure.limited)
                return conclude(str(failure))
            self._heed(answer)
            self.messages.append({"role": "assistant", "content": answer.content})
            match answer.stop_reason:
                case "tool_use":
                    self.messages.append({"role": "user", "content": self._results(answer)})
                case "max_tokens":
                    self.cut_answers += 1
                    if self.cut_answers > CUT_ANSWERS:
                        return conclude(f"{self.cut_answers} answers were cut at the limit of tokens")
                    self.messages.append({"role": "user", "content": self._after_cut(answer)})
                    continue
                case "pause_turn":
                    pass
                case "end_turn" | "stop_sequence":
                    return conclude(_text(answer) or "done", ok=True)
                case "refusal":
                    return conclude(f"the model refused to go on: {_text(answer)}")
                case other:
                    return conclude(f"the model stopped: {other}")
            self.cut_answers = 0

    def _over(self) -> str:
        """Which limit of the order is used up; "" when none is."""
        turns, tokens = self.used.turns or 0, self.used.tokens or 0
        if self.order.turns and turns >= self.order.turns:
            return f"{turns} of {self.order.turns} turns used"
        if self.order.tokens and tokens > self.order.tokens:
            return f"{tokens} of {self.order.tokens} tokens used"
        return ""

    def _heed(self, answer: BetaMessage) -> None:
        """Tell what an answer says and what it used."""
        for block in answer.content:
            if block.type == "text" and block.text.strip():
                tell(Said(text=block.text))
        found = answer.usage
        usage = Usage(
            input=found.input_tokens,
            output=found.output_tokens,
            cache_read=found.cache_read_input_tokens,
            cache_write=found.cache_creation_input_tokens,
            turns=1,
        )
        self.used += usage
        tell(Used(usage=usage))

    def _results(self, answer: BetaMessage) -> list[dict[str, Any]]:
        return [self._result(block) for block in answer.content if block.type == "tool_use"]

    def _result(self, block: BetaToolUseBlock) -> dict[str, Any]:
        name, target = _name(block), tools.target(block.input)
        tell(Called(tool=name, target=target, call=block.id))
        given = self.toolbox.call(block.name, block.input)
        if given.refused:
            tell(Denied(tool=name, target=target, why=cut(given.refused)))
        if given.changed:
            tell(Changed(paths=[given.changed]))
        tell(Answered(call=block.id, ok=given.ok, text=cut(given.text)))
        if self.toolbox.shell.stop:
            os._exit(ENDED)
        return {"type": "tool_result", "tool_use_id": block.id, "content": given.content, "is_error": not given.ok}

    def _after_cut(self, answer: BetaMessage) -> list[dict[str, Any]]:
        """What follows an answer that was cut: its calls may be cut too, so none is carried out."""
        why = "the answer was cut at its limit of tokens"
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": f"not carried out: {why}", "is_error": True}
            for block in answer.content
            if block.type == "tool_use"
        ]
        return [*results, {"type": "text", "text": f"{why.capitalize()}. Go on in smaller steps."}]


def _text(answer: BetaMessage) -> str:
    return "\n".join(block.text for block in answer.content if block.type == "text").strip()


def _name(block: BetaToolUseBlock) -> str:
    """The tool as people know it: the command of the editor says more than its name."""
    command = block.input.get("command") if isinstance(block.input, Mapping) else None
    return str(command) if block.name == tools.EDITOR and command else block.name


def arguments() -> Patience:
    """The patience that the words behind the program ask for (`args` of the configuration)."""
    usual = Patience()
    parser = argparse.ArgumentParser(prog="anthropic agent", allow_abbrev=False)
    parser.add_argument("--silent-seconds", type=float, default=usual.silent, help="for the next event of an answer")
    parser.add_argument("--limit-seconds", type=float, default=usual.limit, help="in all, for a limit to pass")
    parser.add_argument("--tries", type=int, default=usual.tries, help="of a request that fails otherwise")
    given = parser.parse_args()
    return Patience(given.silent_seconds, given.limit_seconds, given.tries)


def main() -> int:
    patience = arguments()
    try:
        order, prompt = standard_io.read()
    except ValueError as error:
        return conclude(f"the first line of stdin is no order: {error}")
    for name in NOT_FOR_TOOLS:
        os.environ.pop(name, None)
    if not order.key:
        tell(Limited(terminal=True, code="PROVIDER_AUTH", why="no key was given"))
        return conclude("no key was given")
    stop = Stop()
    root = Path(os.path.realpath(Path.cwd()))
    shell = Shell(root, dict(os.environ), stop)
    _end_on_term(shell)
    orphans.adopt_orphans()
    deadline = time.monotonic() + (order.seconds or float("inf"))
    reach = Reach(root, Scope(write_allow=order.write_allow, deny=order.deny), standard_io.also_writable())

    def seconds_left() -> float:
        return deadline - time.monotonic()

    model = Model(order.model, order.key, seconds_left, order.base_url, order.effort, patience)
    tell(Opened(model=order.model))
    model.ask_what_it_can()
    return Conversation(order, prompt, model, Toolbox(reach, shell, seconds_left)).work()


def _end_on_term(shell: Shell) -> None:
    """On TERM a running command is ended first, with what it started; nothing else is worth waiting for."""

    def end(_number: int, _frame: FrameType | None) -> None:
        shell.stop.set()
        if not shell.running:
            os._exit(ENDED)

    signal.signal(signal.SIGTERM, end)


if __name__ == "__main__":
    raise SystemExit(main())
