"""GitLab's REST interface as far as merge requests need it, on a forge on the loopback."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.forge.server import TOKEN, Call, LoopbackForge, RefusedError


class LoopbackGitLab(LoopbackForge):
    """State: projects by their names, merge requests with their notes, and statuses of commits."""

    prefix = "/api/v4"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.projects: list[str] = []
        self.parents: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        self.statuses: dict[str, list[dict[str, Any]]] = {}

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        return headers.get("private-token") == TOKEN

    def add_project(self, name: str) -> Path:
        self.projects.append(name)
        return self.add_repository(name)

    def route(self, call: Call) -> tuple[int, Any]:
        if call.path == "/users":
            return 200, [{"id": 7, "username": "ada"}] if call.query["username"] == "ada" else []
        found = re.fullmatch(r"/projects/([^/]+)(/.*)?", call.path)
        name = self._name(unquote(found[1])) if found else ""
        if not found or name not in self.projects:
            raise RefusedError(404, {"message": "404 Project Not Found"})
        rest = found[2] or ""
        if not rest:
            return 200, self._project(name)
        if matched := re.fullmatch(r"/repository/commits/(\w+)/statuses", rest):
            return 200, self.statuses.get(matched[1], [])
        if rest == "/merge_requests":
            return self._create(name, call.body) if call.method == "POST" else (200, self._list(name, call.query))
        if matched := re.fullmatch(r"/merge_requests/(\d+)(?:/notes(?:/(\d+))?)?", rest):
            request = self.requests[int(matched[1]) - 1]
            if "/notes" in rest:
                return self._notes(request["all_notes"], call, int(matched[2] or 0))
            if call.method == "PUT":
                added = call.body.pop("add_labels", "")
                request["labels"] += added.split(",") if added else []
                request.update(call.body)
            return 200, request
        raise RefusedError(404, {"message": f"404 {call.method} {rest}"})

    def _name(self, asked: str) -> str:
        return self.projects[int(asked) - 1] if asked.isdigit() else asked

    def _project(self, name: str) -> dict[str, Any]:
        found = {"id": self.projects.index(name) + 1, "path_with_namespace": name, "default_branch": "main"}
        if parent := self.parents.get(name):
            found["forked_from_project"] = self._project(parent)
        return found

    def _list(self, name: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        wanted = (query["source_branch"], query["target_branch"], self.projects.index(name) + 1)
        names = ("source_branch", "target_branch", "target_project_id")
        return [one for one in reversed(self.requests) if tuple(one[key] for key in names) == wanted]

    def _create(self, name: str, given: Mapping[str, Any]) -> tuple[int, Any]:
        source, target = self.projects.index(name) + 1, given["target_project_id"]
        same = {"source_branch": given["source_branch"], "target_branch": given["target_branch"], "state": "opened"}
        known = {**same, "source_project_id": source, "target_project_id": target}
        if any(one.items() >= known.items() for one in self.requests):
            what = "Another open merge request already exists for this source branch: !1"
            raise RefusedError(409, {"message": [what]})
        number = len(self.requests) + 1
        made = {
            **given,
            **known,
            "id": 50 + number,
            "iid": number,
            "web_url": f"https://{self.host}/{self._name(str(target))}/-/merge_requests/{number}",
            "sha": self.tip(name, given["source_branch"]),
            "draft": given["title"].startswith("Draft: "),
            "labels": [],
            "all_notes": [],
        }
        self.requests.append(made)
        return 201, made

    def _notes(self, notes: list[dict[str, Any]], call: Call, number: int) -> tuple[int, Any]:
        if call.method == "POST":
            notes.append({"id": len(notes) + 1, "body": call.body["body"], "system": False})
            return 201, notes[-1]
        if call.method == "PUT":
            found = next(one for one in notes if one["id"] == number)
            found["body"] = call.body["body"]
            return 200, found
        if call.method == "DELETE":
            notes[:] = [one for one in notes if one["id"] != number]
            return 204, None
        return 200, notes
