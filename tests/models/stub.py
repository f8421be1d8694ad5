"""A model on the loopback that plays scenarios to real clients: `python -m tests.models.stub --port 0`.

The address `http://127.0.0.1:<port>/<scenario>` is what a client is given as its provider's; the scenario may be
`<name>@<package-id>`: the others then just work. It speaks the formats of `wires`, needs the standard library alone,
and keeps no state but the count of failures, by scenario, package and client.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.models import clients, scenario
from tests.models.clients import Text, Turn
from tests.models.requests import Request
from tests.models.scenario import SCENARIOS, WORK, Fault, Scenario
from tests.models.wires import WIRES, Wire

PING_SECONDS = 0.2
HANG_SECONDS = 600.0
YES = {"supported": True}
CAPABLE = {  # the model of this name can do what current ones can; of others the stub knows nothing
    "id": "capable",
    "type": "model",
    "display_name": "Capable",
    "created_at": "2026-01-01T00:00:00Z",
    "lifecycle": "active",
    "max_input_tokens": 200_000,
    "max_tokens": 48_000,
    "capabilities": {
        "thinking": {"supported": True, "types": {"adaptive": YES}},
        "context_management": {"supported": True, "clear_tool_uses_20250919": YES},
    },
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came: header names in lower case."""

    scenario: str
    package: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(slots=True)
class Stub:
    """The server, started by `running`. `asked` is what came so far."""

    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    port: int = 0
    log: Path | None = None
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    _failures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def url(self, name: str = "work") -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def scenario(self, name: str, package: str) -> Scenario:
        """The scenario of that name for this package; KeyError when there is none."""
        name, _, only = name.partition("@")
        if only and only != package:
            return WORK
        return self.scenarios[name] if name in self.scenarios else SCENARIOS[name]

    def note(self, asked: Asked) -> None:
        with self._guard:
            self.asked.append(asked)
            if self.log:
                line = {"scenario": asked.scenario, "package": asked.package, "path": asked.path, "body": asked.body}
                with self.log.open("a") as file:
                    file.write(json.dumps(line) + "\n")

    def fails(self, fault: Fault | None, step: int, who: tuple[str, str, str]) -> Fault | None:
        """The fault, if it strikes this time."""
        if fault is None or step < fault.at:
            return None
        with self._guard:
            self._failures[who] += 1
            return fault if not fault.times or self._failures[who] <= fault.times else None

    @contextmanager
    def running(self) -> Iterator[Stub]:
        """Serve on the loopback, on a free port unless one was named."""
        with _Server(("127.0.0.1", self.port), _Handler) as server:
            server.stub = self
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self.closing.set()
                server.shutdown()
                thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stub: Stub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Clients are many; what they ask is in `asked`."""

    def do_HEAD(self) -> None:
        self._answer(200, {})

    def do_GET(self) -> None:
        """Lists of models, and one model."""
        path = urlsplit(self.path).path.rstrip("/")
        if path.endswith("/models"):
            models = [{"id": "stub", "object": "model", "created": 1, "owned_by": "stub"}]
            self._answer(200, {"object": "list", "data": models, "models": []})
        elif path.endswith("/models/capable"):
            self._answer(200, CAPABLE)
        else:
            self._answer(404, {"type": "error", "error": {"type": "not_found_error", "message": f"no {path} here"}})

    def do_POST(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # a client that was ended
            self._post()

    def _post(self) -> None:
        body = json.loads(self._body() or b"{}")
        path = urlsplit(self.path).path
        name = path.strip("/").partition("/")[0]
        wire = next((each for each in WIRES if each.matches(path)), None)
        if wire is None:
            self._answer(200, {"input_tokens": 1000})  # count_tokens, and what clients report of themselves
            return
        request = wire.read(body)
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.stub.note(Asked(name, request.package, path, headers, body))
        try:
            played = self.server.stub.scenario(name, request.package)
        except KeyError:
            self._answer(*wire.error(404, f"the stub has no scenario {name!r}"))
            return
        if clients.works(request):
            self._work(wire, request, played, name, body)
        else:
            wants_json = "json" in str(body.get("generationConfig", {}).get("responseMimeType", ""))
            self._say(wire, body, (Text('{"model_choice": "flash", "reasoning": "x"}' if wants_json else "ok"),))

    def _work(self, wire: Wire, request: Request, played: Scenario, name: str, body: Mapping[str, Any]) -> None:
        turns = clients.turns(played.all_steps(request), request)
        turn = turns[0 if played.loops else min(request.step, len(turns) - 1)]
        who = (name, request.package, f"{type(wire).__name__} {self.headers.get('user-agent', '').partition('/')[0]}")
        fault = self.server.stub.fails(played.fault, request.step, who)
        if fault and fault.status:
            status, error = wire.error(fault.status, fault.message)
            self._answer(status, error, fault.headers)
        elif fault and fault.stop:
            self._say(
                wire, body, turn if fault.stop == "max_tokens" else (Text("I can't help with that."),), fault.stop
            )
        else:
            self._say(wire, body, turn, fault=fault.stream if fault else "")

    def _say(self, wire: Wire, body: Mapping[str, Any], turn: Turn, stop: str = "", fault: str = "") -> None:
        model = str(body.get("model", ""))
        if not body.get("stream") and not urlsplit(self.path).path.endswith(":streamGenerateContent"):
            self._answer(200, wire.whole(turn, model, stop))
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        events = list(wire.events(turn, model, stop))
        if not fault:
            for event in events:
                self._event(*event)
            self._chunk(b"")
            return
        for event in events[: max(1, len(events) // 2)]:
            self._event(*event)
        self._spoil(wire, fault)

    def _spoil(self, wire: Wire, fault: str) -> None:
        """End a stream that has begun in the way of the fault."""
        closing = self.server.stub.closing
        if fault == "pings":
            while not closing.wait(PING_SECONDS):
                self._event(*wire.ping) if wire.ping else self._chunk(b": ping\n\n")
        elif fault == "hang":
            closing.wait(HANG_SECONDS)
        elif fault == "error":
            self._event("error", wire.error(529, "Overloaded")[1])
            self._chunk(b"")
            return
        self.close_connection = True

    def _event(self, name: str, data: object) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        self._chunk((f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _answer(self, status: int, data: object, headers: Mapping[str, str] | None = None) -> None:
        written = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(written)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(written)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
        return zlib.decompress(body, 31) if self.headers.get("content-encoding") == "gzip" else body


def main() -> int:
    parser = argparse.ArgumentParser(description="A model on the loopback that plays scenarios.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one; it is printed")
    parser.add_argument("--scenarios", type=Path, help="a JSON file of more scenarios, by name")
    parser.add_argument("--log", type=Path, help="where requests are written, one a line")
    given = parser.parse_args()
    more = json.loads(given.scenarios.read_text()) if given.scenarios else {}
    stub = Stub({name: scenario.parse(each) for name, each in more.items()}, given.port, given.log)
    with stub.running():
        sys.stdout.write(f"http://127.0.0.1:{stub.port}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
