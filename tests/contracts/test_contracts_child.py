"""The child process: what it may not do, how it ends, and how much it reports."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from parallel_impl.contracts import child, child_process, documents
from parallel_impl.contracts.child_process import DocumentVerdict


@pytest.mark.parametrize(
    "action",
    [
        "open('/etc/passwd')",
        "open('/dev/zero', 'rb')",
        "__import__('socket').create_connection(('127.0.0.1', 9))",
        "__import__('socket').getaddrinfo('example.org', 80)",
        "__import__('subprocess').run(['true'])",
        "__import__('os').system('true')",
        "__import__('os').fork()",
        "__import__('urllib.request').request.urlopen('file:///etc/passwd')",
    ],
)
def test_the_guard_refuses_files_outside_the_installation_sockets_and_programs(action: str) -> None:
    code = f"import runpy; runpy.run_path({str(child_process.SCRIPT)!r})['guard'](); {action}"
    ended = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "PermissionError" in ended.stderr


def test_a_document_that_needs_too_much_memory_is_refused_and_the_next_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_process, "MEMORY_MB", 200)
    large = b"[" + b"{}," * 3_000_000 + b"{}]"
    first, second = child_process.check([("a.json", large), ("b.json", b"[]")], lambda _: None, seconds=60)
    assert first.broken in ("MemoryError", "crash")
    assert second == DocumentVerdict()


def test_other_files_are_given_up_to_a_size_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "SERVED_BYTES", 100)
    paths = {f"/p{n}": {"$ref": f"x{n}.json"} for n in range(3)}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths}
    other = json.dumps({"description": "x" * 20}).encode()
    (verdict,) = child_process.check([("v1.json", json.dumps(document).encode())], lambda _: other, seconds=60)
    assert len(verdict.problems) == 1
    assert "is not there" in verdict.problems[0].what


def test_a_child_that_ends_by_itself_is_told_from_one_that_ran_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "SCRIPT", child_process.SCRIPT.with_name("gone.py"))
    (verdict,) = child_process.check([("v1.json", b"{}")], lambda _: None, seconds=60)
    assert verdict == DocumentVerdict(broken="crash")


def test_at_most_twenty_problems_are_reported_each_once() -> None:
    schema = {"properties": {f"p{n}": {"type": "strin"} for n in range(50)}}
    assert len(child.verdict("a.schema.json", json.dumps(schema).encode())["problems"]) == documents.MAX_ERRORS
    assert len(child.verdict("a.yaml", b"a: 1\na: 2\na: 3\n")["problems"]) == 2


def test_what_a_library_breaks_with_counts_only_where_nothing_was_found_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": []}
    assert child.verdict("v1.json", json.dumps(paths).encode())["problems"][0]["path"] == "/paths"
    monkeypatch.setattr(documents, "problems", lambda *_: 1 // 0)
    assert child.verdict("v1.json", b"{}") == {"broken": "ZeroDivisionError"}
