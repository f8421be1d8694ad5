"""A client of the Agent Client Protocol: `python -m parallel_impl.agents.drivers.acp` drives any agent that speaks it.

On stdin come an order (`dialects.driven`), which names the agent's program, and the prompt; activities go to stdout. A
write outside the package's scope is refused, with the reason where the protocol has a place for one: an error of
`fs/write_text_file`. A refused permission has none. A shell of the agent's goes round both.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, cast

import msgspec

from parallel_impl.agents import refusals
from parallel_impl.agents.dialects.driven import DriverOrder
from parallel_impl.agents.drivers import standard_io
from parallel_impl.agents.drivers.reach import Reach, ScopeError
from parallel_impl.agents.drivers.standard_io import conclude, tell
from parallel_impl.plan.model import Scope
from parallel_impl.processes import orphans, procfs
from parallel_impl.record.activity import Answered, Called, Changed, Denied, Limited, Opened, Said, Usage, Used, cut

try:
    import acp
    from acp import schema
except ImportError:
    MISSING = "the acp agent needs the package agent-client-protocol: pip install 'parallel-implement[acp]'"
    sys.stderr.write(f"{MISSING}\n")
    raise SystemExit(conclude(MISSING)) from None

LONGEST_LINE = 1 << 24  # bytes; asyncio's 64 KB are less than a file
AUTH_REQUIRED = -32000
NOT_FOUND = -32002
GRACE_SECONDS = 2.0
WRITES = ("edit", "delete", "move")
REMINDERS = 3  # how often an agent that stops at a refused permission (opencode) is told why, and to go on
REFUSED = "What you asked for last was refused. Go on with the work without it, inside the scope:"
ENDED = 128 + signal.SIGTERM


class AcpClient:
    """What the agent may ask of us, and what it tells; all of one session, so that its id is not looked at."""

    def __init__(self, reach: Reach, turns: int) -> None:
        self.reach = reach
        self.turns = turns
        self.over = asyncio.Event()  # more tool calls than `turns`
        self.muted = False  # the agent tells an old conversation once more, or has had its time
        self.usage = Usage()
        self.refused: list[str] = []  # the reasons, since the last call that was not refused
        self._said: list[str] = []
        self._calls: dict[str, schema.ToolCall] = {}
        self._told: set[str] = set()
        self._done: set[str] = set()

    def on_connect(self, conn: acp.Agent) -> None:
        """Nothing is asked of the agent from here."""

    async def request_permission(
        self, tool_call: schema.ToolCallUpdate, options: list[schema.PermissionOption], **_: Any
    ) -> schema.RequestPermissionResponse:
        call = self._heed(tool_call)
        if call.tool_call_id not in self._told:
            self._call(call)
        refused = [why for path in _paths(call) if _writes(call) and (why := self._refusal(path))]
        if refused:
            tell(Denied(tool=call.kind or call.title, target=cut(_target(call)), why=cut("; ".join(refused))))
        self.refused = [*self.refused, *refused] if refused else []
        kinds = ("reject_once", "reject_always") if refused else ("allow_once", "allow_always")
        chosen = next((option for kind in kinds for option in options if option.kind == kind), None)
        if chosen is None:
            return schema.RequestPermissionResponse(outcome=schema.DeniedOutcome(outcome="cancelled"))
        outcome = schema.AllowedOutcome(outcome="selected", option_id=chosen.option_id)
        return schema.RequestPermissionResponse(outcome=outcome)

    async def write_text_file(self, path: str, content: str, **_: Any) -> schema.WriteTextFileResponse:
        try:
            real = self.reach.writable(path)
        except ScopeError as error:
            tell(Denied(tool="fs/write_text_file", target=cut(path), why=cut(str(error))))
            raise acp.RequestError(AUTH_REQUIRED, str(error)) from error
        try:
            real.parent.mkdir(parents=True, exist_ok=True)
            real.write_bytes(content.encode(errors="surrogatepass"))
        except OSError as error:
            raise acp.RequestError.internal_error({"reason": f"{path}: {error.strerror}"}) from error
        tell(Changed(paths=[self.reach.shown(real)]))
        return schema.WriteTextFileResponse()

    async def read_text_file(
        self, path: str, line: int | None = None, limit: int | None = None, **_: Any
    ) -> schema.ReadTextFileResponse:
        try:
            real = self.reach.readable(path)
        except ScopeError as error:
            tell(Denied(tool="fs/read_text_file", target=cut(path), why=cut(str(error))))
            raise acp.RequestError.invalid_params({"reason": str(error)}) from error
        if not real.is_file():
            raise acp.RequestError(NOT_FOUND, f"Resource not found: {path}", {"uri": path})
        try:
            text = real.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise acp.RequestError.internal_error({"reason": f"{path}: {error}"}) from error
        first = (line or 1) - 1
        lines = text.splitlines(keepends=True)[first : None if limit is None else first + limit]
        return schema.ReadTextFileResponse(content="".join(lines) if line or limit else text)

    async def session_update(self, update: Any, **_: Any) -> None:
        if self.muted:
            return
        match update:
            case schema.AgentMessageChunk():
                self._said.append(getattr(update.content, "text", ""))
            case schema.ToolCallStart() | schema.ToolCallProgress():
                self._heed(update)
            case schema.UsageUpdate() if update.cost is not None and update.cost.currency == "USD":
                self.use(Usage(dollars=update.cost.amount))

    def use(self, usage: Usage) -> None:
        """Tell what the session has used so far; figures that are not told anew stay."""
        told = {name: value for name in usage.__struct_fields__ if (value := getattr(usage, name)) is not None}
        self.usage = msgspec.structs.replace(self.usage, **told)
        tell(Used(usage=self.usage, whole=True))

    def flush(self) -> str:
        """Tell the text that came in pieces, and return it."""
        text, self._said = "".join(self._said), []
        if text.strip():
            tell(Said(text=text))
        return text.strip()

    def _heed(self, update: schema.ToolCallStart | schema.ToolCallUpdate) -> schema.ToolCall:
        """Tell of a call what is new: that there is one, that it ended. What one update leaves out stays as it was."""
        found = update.model_dump(exclude_none=True, include=set(schema.ToolCall.model_fields))
        known = self._calls.get(update.tool_call_id)
        call = schema.ToolCall.model_validate((known.model_dump(exclude_none=True) if known else {"title": ""}) | found)
        self._calls[call.tool_call_id] = call
        if call.tool_call_id not in self._told and (_paths(call) or call.status not in (None, "pending")):
            self._call(call)
        if call.status in ("completed", "failed") and call.tool_call_id not in self._done:
            self._done.add(call.tool_call_id)
            ok = call.status == "completed"
            if ok and _writes(call) and (paths := _paths(call)):
                tell(Changed(paths=[self._shown(path) for path in paths]))
            tell(Answered(call=call.tool_call_id, ok=ok, text=cut(_given(call))))
        return call

    def _call(self, call: schema.ToolCall) -> None:
        """Tell that there is a call, as soon as it is known what it is about."""
        self.flush()
        self.refused = []
        self._told.add(call.tool_call_id)
        tell(Called(tool=call.kind or call.title, target=cut(_target(call)), call=call.tool_call_id))
        if self.turns and len(self._told) > self.turns:
            self.over.set()

    def _refusal(self, path: str) -> str:
        try:
            self.reach.writable(path)
        except ScopeError as error:
            return str(error)
        return ""

    def _shown(self, path: str) -> str:
        return self.reach.shown(Path(os.path.realpath(self.reach.root / path)))


async def converse(order: DriverOrder, prompt: str, reach: Reach) -> int:
    """Start the agent, have one turn with it, and end it; the exit code."""
    client = AcpClient(reach, order.turns)
    how = {"limit": LONGEST_LINE, "stderr": None}
    root = str(reach.root)
    async with acp.spawn_agent_process(
        cast("acp.Client", client), *order.program, env=dict(os.environ), cwd=root, transport_kwargs=how
    ) as (agent, process):
        turn = asyncio.create_task(_turn(agent, client, order, prompt, root))
        over = asyncio.create_task(client.over.wait())
        gone = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({turn, over, gone}, timeout=order.seconds or None, return_when=asyncio.FIRST_COMPLETED)
            client.flush()
            client.muted = True
            if turn.done() and not isinstance(turn.exception(), ConnectionError):
                return turn.result()
            if over.done():
                return conclude(f"more than {order.turns} tool calls", code="BUDGET_EXCEEDED")
            if turn.done() or gone.done():
                return conclude(f"the agent ended in the middle of its turn ({await _code(gone)})")
            return conclude("its time is up")
        finally:
            turn.cancel()
            over.cancel()
            await _end_agent(process, gone)


async def _code(gone: asyncio.Task[int]) -> str:
    """The exit code of an agent that went away; it may have closed its output only."""
    await asyncio.wait({gone}, timeout=GRACE_SECONDS)
    return f"exit {gone.result()}" if gone.done() else "its output is closed"


async def _end_agent(process: asyncio.subprocess.Process, gone: asyncio.Task[int]) -> None:
    """Let the agent end by itself, as its input does, and then end whatever there is of it."""
    if process.stdin is not None:
        process.stdin.close()
    await asyncio.wait({gone}, timeout=GRACE_SECONDS)
    _kill_all()
    await gone


async def _turn(agent: Any, client: AcpClient, order: DriverOrder, prompt: str, root: str) -> int:
    able = schema.ClientCapabilities(
        fs=schema.FileSystemCapabilities(read_text_file=True, write_text_file=True), terminal=False
    )
    who = schema.Implementation(name="parallel-implement", version="1")
    can = await agent.initialize(protocol_version=acp.PROTOCOL_VERSION, client_capabilities=able, client_info=who)
    try:
        session, opened = await _session(agent, client, order, root, can)
    except acp.RequestError as error:
        if error.code != AUTH_REQUIRED or not (method := _method(can)):
            raise
        await agent.authenticate(method_id=method)
        session, opened = await _session(agent, client, order, root, can)
    if order.model:
        await _choose(agent, session, opened, order.model)
    tell(Opened(session=session, model=order.model))
    done, text = await _prompt(agent, client, session, prompt)
    for _ in range(REMINDERS):
        if done.stop_reason != "end_turn" or not client.refused:
            break
        reasons = "\n".join(f"- {why}" for why in dict.fromkeys(client.refused))
        client.refused = []
        done, text = await _prompt(agent, client, session, f"{REFUSED}\n\n{reasons}")
    if done.stop_reason != "end_turn":
        return conclude(f"the agent stopped: {done.stop_reason}")
    return conclude(text or "done", ok=True)


async def _prompt(agent: Any, client: AcpClient, session: str, prompt: str) -> tuple[Any, str]:
    """One prompt and all that follows it; how it ended, and the last text."""
    done = await agent.prompt(session_id=session, prompt=[acp.text_block(prompt)])
    if used := done.usage:
        client.use(
            client.usage
            + Usage(
                input=used.input_tokens,
                output=used.output_tokens,
                cache_read=used.cached_read_tokens,
                cache_write=used.cached_write_tokens,
            )
        )
    return done, client.flush()


async def _session(agent: Any, client: AcpClient, order: DriverOrder, root: str, can: Any) -> tuple[str, Any]:
    """A new session, or the one that goes on; its id, and what the agent says of it."""
    if not order.resume:
        opened = await agent.new_session(cwd=root, mcp_servers=[])
        return opened.session_id, opened
    able = can.agent_capabilities
    if able.session_capabilities and able.session_capabilities.resume:
        return order.resume, await agent.resume_session(cwd=root, session_id=order.resume, mcp_servers=[])
    if not able.load_session:
        raise acp.RequestError.invalid_request({"details": "this agent cannot go on with an earlier conversation"})
    client.muted = True
    try:
        return order.resume, await agent.load_session(cwd=root, session_id=order.resume, mcp_servers=[])
    finally:
        client.muted = False


def _method(can: Any) -> str:
    """A way to authenticate that needs no person: by a variable that is there, or a key; "" when there is none."""
    for method in can.auth_methods or []:
        names = [each.name for each in getattr(method, "vars", None) or []]
        if names and all(os.environ.get(name) for name in names):
            return str(method.id)
    keys = (str(method.id) for method in can.auth_methods or [] if "api" in method.id and "key" in method.id)
    return next(keys, "")


async def _choose(agent: Any, session: str, opened: Any, model: str) -> None:
    """Set the model; RequestError where the agent has no such one."""
    offered = (each for each in getattr(opened, "config_options", None) or [] if each.category == "model")
    option = next(offered, None)
    if option is None:
        raise acp.RequestError.invalid_request({"details": f"this agent lets nobody choose a model, so not {model}"})
    await agent.set_config_option(config_id=option.id, session_id=session, value=model)


def _writes(call: schema.ToolCall) -> bool:
    """Whether a call changes files: by its kind, or because it shows a difference."""
    return call.kind in WRITES or any(part.type == "diff" for part in call.content or [])


def _paths(call: schema.ToolCall) -> list[str]:
    """The files that a call is about."""
    shown = [part.path for part in call.content or [] if isinstance(part, schema.FileEditToolCallContent)]
    return list(dict.fromkeys([*(place.path for place in call.locations or []), *shown]))


def _target(call: schema.ToolCall) -> str:
    return ", ".join(_paths(call)) or call.title


def _given(call: schema.ToolCall) -> str:
    """What a call gave, as text."""
    parts = [part.content for part in call.content or [] if isinstance(part, schema.ContentToolCallContent)]
    text = "\n".join(part.text for part in parts if isinstance(part, schema.TextContentBlock))
    return text or ("" if call.raw_output is None else str(call.raw_output))


def _failed(error: acp.RequestError) -> int:
    """A request that the agent answered with an error: its words, and whether they are a provider's refusal."""
    details = error.data.get("details") or error.data if isinstance(error.data, dict) else error.data
    why = f"{error}: {details}" if details else str(error)
    limited = refusals.refusal(why)
    if limited is None and error.code == AUTH_REQUIRED:
        limited = Limited(terminal=True, code="PROVIDER_AUTH", why=cut(why))
    if limited is not None:
        tell(limited)
    return conclude(why)


def main() -> int:
    try:
        order, prompt = standard_io.read()
    except ValueError as error:
        return conclude(f"the first line of stdin is no order: {error}")
    if not order.program:
        return conclude("the order names no program that speaks the Agent Client Protocol")
    orphans.adopt_orphans()
    signal.signal(signal.SIGTERM, _end)
    root = Path(os.path.realpath(Path.cwd()))
    reach = Reach(root, Scope(write_allow=order.write_allow, deny=order.deny), standard_io.also_writable())
    try:
        return asyncio.run(converse(order, prompt, reach))
    except acp.RequestError as error:
        return _failed(error)
    except OSError as error:
        return conclude(f"{order.program[0]} could not be started: {error.strerror or error}")


def _end(_number: int, _frame: FrameType | None) -> None:
    """On TERM nothing is worth waiting for."""
    _kill_all()
    os._exit(ENDED)


def _kill_all() -> None:
    """Kill the agent and what it started, also what left it: such processes are children of this one by now."""
    for pid in procfs.descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
