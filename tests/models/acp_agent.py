"""An agent that speaks the Agent Client Protocol: `python -m tests.models.acp_agent <scenario>`.

It is written with the protocol's own package, as the agents of others are.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import acp
from acp import schema

OPTIONS = [
    schema.PermissionOption(option_id="always", name="Always", kind="allow_always"),
    schema.PermissionOption(option_id="once", name="Once", kind="allow_once"),
    schema.PermissionOption(option_id="no", name="No", kind="reject_once"),
]
MODELS = schema.SessionConfigOptionSelect(
    id="model",
    name="Model",
    category="model",
    type="select",
    current_value="small",
    options=[schema.SessionConfigSelectOption(value=name, name=name) for name in ("small", "large")],
)


class Agent:
    """`scenario` is a word of the command line; what the client answers goes to `answers.txt` in the worktree."""

    def __init__(self, scenario: str) -> None:
        self.scenario = scenario
        self.client: Any = None
        self.may = scenario != "log-in"
        self.root = Path()

    def on_connect(self, conn: acp.Client) -> None:
        self.client = conn

    async def initialize(self, **_: Any) -> schema.InitializeResponse:
        able = schema.AgentCapabilities(load_session=self.scenario == "load")
        answer = schema.InitializeResponse(protocol_version=1, agent_capabilities=able)
        if self.scenario == "log-in":
            answer.auth_methods = [schema.AuthMethodAgent(id="api-key", name="A key")]
        return answer

    async def authenticate(self, method_id: str, **_: Any) -> schema.AuthenticateResponse:
        self.may = method_id == "api-key" and "KEY_OF_AGENT" in os.environ
        return schema.AuthenticateResponse()

    async def new_session(self, cwd: str, **_: Any) -> schema.NewSessionResponse:
        if not self.may:
            raise acp.RequestError.auth_required()
        self.root = Path(cwd)
        return schema.NewSessionResponse(session_id="session-1", config_options=[MODELS])

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> schema.LoadSessionResponse:
        self.root = Path(cwd)
        await self._say(session_id, "what was said before")
        return schema.LoadSessionResponse()

    async def set_config_option(self, config_id: str, value: str, **_: Any) -> schema.SetSessionConfigOptionResponse:
        self._note(f"{config_id}={value}")
        return schema.SetSessionConfigOptionResponse(config_options=[MODELS])

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> schema.PromptResponse:
        reason = await getattr(self, "_" + self.scenario.replace("-", "_"))(session_id, prompt[0].text)
        usage = schema.Usage(total_tokens=70, input_tokens=40, output_tokens=30, cached_read_tokens=9)
        return schema.PromptResponse(stop_reason=reason or "end_turn", usage=usage)

    async def _edit(self, session: str, prompt: str) -> None:
        """A file of its own writing inside the scope, then one outside it, each after asking."""
        if "refused" in prompt:
            return
        await self._say(session, "I begin ")
        await self._say(session, "with the words.")
        for number, path in enumerate(("src/greet/words.py", "README.md"), 1):
            place = self.root / path
            diff = schema.FileEditToolCallContent(type="diff", path=str(place), new_text="words\n")
            call = acp.start_tool_call(f"call-{number}", f"Write {path}", kind="edit", status="pending", content=[diff])
            await self._update(session, call)
            asked = schema.ToolCallUpdate(tool_call_id=f"call-{number}", title=f"Write {path}")
            answer = await self.client.request_permission(session_id=session, tool_call=asked, options=OPTIONS)
            chosen = getattr(answer.outcome, "option_id", "cancelled")
            self._note(f"{path}: {chosen}")
            if chosen == "once":
                place.write_text("words\n")
            status = "completed" if chosen == "once" else "failed"
            await self._update(session, acp.update_tool_call(f"call-{number}", status=cast("Any", status)))
        cost = schema.Cost(amount=0.5, currency="USD")
        await self._update(session, schema.UsageUpdate(session_update="usage_update", used=1, size=2, cost=cost))
        await self._say(session, "Done.")

    async def _gives_up(self, session: str, prompt: str) -> None:
        """As opencode: a turn is over when something was refused."""
        self._note(prompt.replace("\n", "|"))
        if "refused" in prompt:
            await self._say(session, "Gone on.")
            return
        place = schema.ToolCallLocation(path=str(self.root / "README.md"))
        asked = schema.ToolCallUpdate(tool_call_id="call-1", title="Write", kind="edit", locations=[place])
        await self.client.request_permission(session_id=session, tool_call=asked, options=OPTIONS)

    async def _files(self, session: str, _prompt: str) -> None:
        """Through the client's own file system."""
        new = str(self.root / "tests/new/a.txt")
        await self.client.write_text_file(session_id=session, path=new, content="1\n2\n3\n")
        read = await self.client.read_text_file(session_id=session, path=new, line=2, limit=1)
        self._note(f"read {read.content!r}")
        wrong = (("write_text_file", "README.md"), ("read_text_file", "/etc/passwd"), ("read_text_file", "none"))
        for ask, path in wrong:
            more = {"content": "x"} if ask == "write_text_file" else {}
            try:
                await getattr(self.client, ask)(session_id=session, path=str(self.root / path), **more)
            except acp.RequestError as error:
                self._note(f"{ask}: {error.code} {error} {error.data or ''}")

    async def _log_in(self, session: str, _prompt: str) -> None:
        await self._say(session, "Logged in.")

    async def _load(self, session: str, prompt: str) -> None:
        await self._say(session, f"{session} goes on: {prompt}")

    async def _long(self, session: str, prompt: str) -> None:
        """A line longer than asyncio reads by default, both ways."""
        await self._say(session, str(len(prompt)) + " " * 200_000)

    async def _refused(self, _session: str, _prompt: str) -> str:
        return "refusal"

    async def _limit(self, _session: str, _prompt: str) -> None:
        raise acp.RequestError.internal_error({"details": "429 rate_limit_error: too many requests"})

    async def _dies(self, _session: str, _prompt: str) -> None:
        os._exit(7)

    async def _sleeps(self, session: str, _prompt: str) -> None:
        subprocess.Popen(["sleep", "4321"], start_new_session=True)
        await self._update(session, acp.start_tool_call("call-1", "sleep 4321", kind="execute", status="in_progress"))
        await asyncio.sleep(4321)

    async def _many(self, session: str, _prompt: str) -> None:
        for number in range(100):
            await self._update(session, acp.start_tool_call(f"call-{number}", "ls", kind="read", status="completed"))
        await asyncio.sleep(4321)

    async def _say(self, session: str, text: str) -> None:
        await self._update(session, acp.update_agent_message_text(text))

    async def _update(self, session: str, update: Any) -> None:
        await self.client.session_update(session_id=session, update=update)

    def _note(self, line: str) -> None:
        with (self.root / "answers.txt").open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    asyncio.run(acp.run_agent(cast("acp.Agent", Agent(sys.argv[1]))))
