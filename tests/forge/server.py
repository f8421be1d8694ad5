"""A forge on the loopback, over HTTPS: what it shares whatever it speaks. It keeps what it was asked, fails where it
is told to, and serves its bare repositories by git's own `http-backend`.

A forge that speaks something subclasses `LoopbackForge` and answers in `route`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote_plus

import trustme

from tests.repository import git

TOKEN = "loopback-token-7f3a9c"  # noqa: S105 - no secret: it opens nothing but this


@dataclass(frozen=True, slots=True)
class Call:
    """A request that came to the REST interface; `path` is without prefix and query."""

    method: str
    path: str
    body: Any
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the forge does with the next request whose method and path match: refuse it, or lose the connection.

    `cut` "before": nothing was done; "after": it was done, and nobody is told. `status` 0: it is done and answered.
    `held`: the answer waits until this is set.
    """

    method: str
    path: str
    status: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: str = ""
    held: threading.Event | None = None


class RefusedError(Exception):
    """A request that the forge refuses."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class LoopbackForge:
    """`folder` holds the bare repositories, `<owner>/<name>.git`, and the certificate."""

    prefix = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[Call] = []
        self.troubles: list[Trouble] = []
        self.password = ""  # for git; "" asks for none
        self.judge = ""  # the URL of a validating proxy that leads back to `plain`
        self.plain = ""
        self.guard = threading.RLock()
        self.host = ""

    # -- for tests

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def environment(self) -> dict[str, str]:
        """What a user of this forge has set."""
        return {
            "GH_HOST": self.host,
            "GH_TOKEN": TOKEN,
            "GITLAB_HOST": f"https://{self.host}",
            "GITLAB_TOKEN": TOKEN,
            "SSL_CERT_FILE": str(self.certificate),
            "REQUESTS_CA_BUNDLE": str(self.certificate),  # it comes before, and this machine may have one
            "GIT_SSL_CAINFO": str(self.certificate),
            "no_proxy": "localhost",
        }

    def url(self, name: str) -> str:
        """Where a repository is cloned from."""
        return f"https://{self.host}/{name}.git"

    def bare(self, name: str) -> Path:
        return self.folder / f"{name}.git"

    def add_repository(self, name: str) -> Path:
        """An empty bare repository."""
        path = self.bare(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        git(self.folder, "init", "--quiet", "--bare", "-b", "main", str(path))
        git(path, "config", "http.receivepack", "true")
        return path

    def tip(self, name: str, branch: str) -> str:
        """Where a branch is; "" when there is none."""
        return git(self.bare(name), "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def asked(self, method: str, path: str = "") -> list[Call]:
        """The requests that came with this method, and this path (a regular expression)."""
        return [one for one in self.calls if one.method == method and re.fullmatch(path or ".*", one.path)]

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve until the end of the block."""
        authority, certificate = _trusted()
        authority.cert_pem.write_to_path(str(self.certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        servers = [_server(self, plain=False), _server(self, plain=True)]
        servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True)
        self.host = f"localhost:{servers[0].server_address[1]}"
        self.plain = f"http://127.0.0.1:{servers[1].server_address[1]}"
        threads = [threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}) for one in servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for server, thread in zip(servers, threads, strict=True):
                server.shutdown()
                thread.join()
                server.server_close()

    # -- for forges

    def route(self, call: Call) -> tuple[int, Any]:
        """The answer to a request: status and JSON."""
        raise NotImplementedError

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        """Whether the request has the token."""
        raise NotImplementedError

    def trouble_for(self, call: Call) -> Trouble | None:
        """What is to go wrong with a request; each trouble comes once."""
        with self.guard:
            for one in self.troubles:
                if one.method == call.method and re.fullmatch(one.path, call.path):
                    self.troubles.remove(one)
                    return one
        return None


@cache
def _trusted() -> tuple[trustme.CA, trustme.LeafCert]:
    """An authority and a certificate of it, made once a process."""
    authority = trustme.CA()
    return authority, authority.issue_cert("localhost")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


def _server(forge: LoopbackForge, *, plain: bool) -> ThreadingHTTPServer:
    return _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"forge": forge, "plain": plain}))


class _Handler(BaseHTTPRequestHandler):
    forge: LoopbackForge
    plain: bool
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        body, forge = self._body(), self.forge
        path, _, query = self.path.partition("?")
        if ".git/" in path:
            self._git(path, query, body)
            return
        prefix = "" if self.plain else forge.prefix
        if not path.startswith(prefix):
            self._send(404, {"message": "Not Found"})
        elif forge.judge and not self.plain:
            self._relay(self.path.removeprefix(prefix), body)
        else:
            pairs = (part.partition("=")[::2] for part in query.split("&") if part)
            asked = {name: unquote_plus(value) for name, value in pairs}
            self._rest(Call(self.command, path.removeprefix(prefix), json.loads(body) if body else None, asked))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 - the names that the library looks for

    def _rest(self, call: Call) -> None:
        forge = self.forge
        with forge.guard:
            forge.calls.append(call)
        if not forge.is_allowed({name.lower(): value for name, value in self.headers.items()}):
            self._send(401, {"message": "Bad credentials"})
            return
        trouble = forge.trouble_for(call)
        if trouble and trouble.held:
            trouble.held.wait(30)
        if trouble and trouble.cut == "before":
            self.close_connection = True
            return
        if trouble and trouble.status:
            self._send(trouble.status, trouble.body, trouble.headers)
            return
        try:
            with forge.guard:
                status, found = forge.route(call)
        except RefusedError as error:
            status, found = error.status, error.body
        if trouble and trouble.cut:
            self.close_connection = True
            return
        self._send(status, found)

    def _send(self, status: int, found: Any, headers: Mapping[str, str] | None = None) -> None:
        content = b"" if status == 204 else json.dumps(found).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _relay(self, path: str, body: bytes) -> None:
        """Through the validating proxy, which sends it on to our plain side."""
        kept = ("authorization", "content-type", "accept", "user-agent")
        headers = {name: self.headers[name] for name in kept if self.headers.get(name)}
        request = urllib.request.Request(  # noqa: S310 - the loopback
            f"{self.forge.judge}{path}", data=body or None, headers=headers, method=self.command
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        self._send(status, json.loads(content) if content else {})

    def _git(self, path: str, query: str, body: bytes) -> None:
        known = self.forge.password
        if known:
            wanted = base64.b64encode(f"git:{known}".encode()).decode()
            if self.headers.get("authorization") != f"Basic {wanted}":
                self.send_response(401)
                self.send_header("www-authenticate", 'Basic realm="loopback"')
                self.send_header("content-length", "0")
                self.end_headers()
                return
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.forge.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "REMOTE_USER": "git",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, check=False, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
        status = next((int(value.split()[0]) for name, value in lines if name.lower() == "status"), 200)
        self.send_response(status)
        for name, value in lines:
            if name.lower() != "status":
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
