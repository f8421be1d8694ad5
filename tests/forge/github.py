"""GitHub's REST interface as far as pull requests need it, on a forge on the loopback, as GitHub Enterprise serves it.

What it answers has the shape of GitHub's own description (`make test-clients` has it judged by that).
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.forge.server import TOKEN, Call, LoopbackForge, RefusedError
from tests.repository import git

LONGEST = 65_536
MOMENT = "2026-01-01T00:00:00Z"


class LoopbackGitHub(LoopbackForge):
    """State: repositories, pull requests, comments, rules and checks. `rules` None: the token may not read them."""

    prefix = "/api/v3"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.parents: dict[str, str] = {}
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] | None = []
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.people = {"ada", "grace"}
        self.drafts = True

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") in (f"token {TOKEN}", f"Bearer {TOKEN}")

    def require(self, *names: str) -> None:
        """The base branch requires these checks."""
        checks = [{"context": name} for name in names]
        parameters = {"required_status_checks": checks, "strict_required_status_checks_policy": False}
        self.rules = [{"type": "required_status_checks", "parameters": parameters, "ruleset_id": 1}]

    def answer_check(self, commit: str, name: str, conclusion: str | None) -> None:
        """A check of a commit; None: it runs."""
        self.runs.setdefault(commit, []).append(
            {
                "id": 1 + sum(map(len, self.runs.values())),
                "name": name,
                "status": "completed" if conclusion else "in_progress",
                "conclusion": conclusion,
                "html_url": f"https://{self.host}/checks/{name}",
                "head_sha": commit,
            }
        )

    def merge(self, number: int, how: str) -> str:
        """Merge a pull request as the button does: by a `merge`, a `squash` or a `rebase`; the base's new commit."""
        pull = self.pulls[number - 1]
        bare, base = self.bare(pull["target"]), pull["base"]
        source = self.bare(pull["source"])
        old, head = self.tip(pull["target"], base), self.tip(pull["source"], pull["branch"])
        git(bare, "fetch", "--quiet", str(source), head)
        tree = git(bare, "rev-parse", f"{head}^{{tree}}")  # its base has not moved
        parents = {"merge": ["-p", old, "-p", head], "squash": ["-p", old], "rebase": ["-p", old]}[how]
        made = git(bare, "commit-tree", tree, *parents, "-m", f"{pull['title']} (#{number})")
        git(bare, "update-ref", f"refs/heads/{base}", made, old)
        pull.update(state="closed", merged_at=MOMENT, merge=made, head=head)
        return made

    def close(self, number: int) -> None:
        self.pulls[number - 1]["state"] = "closed"

    # -- answers

    def route(self, call: Call) -> tuple[int, Any]:
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", call.path)
        if not found or not self.bare(found[1]).is_dir():
            raise RefusedError(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        name, rest = found[1], found[2] or ""
        for method, pattern, answer in (
            ("GET", r"", self._repository),
            ("GET", r"/pulls", self._list),
            ("POST", r"/pulls", self._open),
            ("GET", r"/pulls/(\d+)", self._get),
            ("PATCH", r"/pulls/(\d+)", self._edit),
            ("POST", r"/pulls/(\d+)/requested_reviewers", self._reviewers),
            ("GET", r"/issues/(\d+)/comments", self._comments),
            ("POST", r"/issues/(\d+)/comments", self._comment),
            ("PATCH", r"/issues/comments/(\d+)", self._edit_comment),
            ("DELETE", r"/issues/comments/(\d+)", self._remove_comment),
            ("POST", r"/issues/(\d+)/labels", self._labels),
            ("GET", r"/rules/branches/(.+)", self._rules),
            ("GET", r"/commits/([0-9a-f]+)", self._commit),
            ("GET", r"/commits/([0-9a-f]+)/check-runs", self._check_runs),
            ("GET", r"/commits/([0-9a-f]+)/status", self._status),
        ):
            matched = re.fullmatch(pattern, rest)
            if method == call.method and matched:
                return answer(name, call, *matched.groups())
        raise RefusedError(404, {"message": f"Not Found: {call.method} {rest}"})

    def _api(self, name: str) -> str:
        return f"https://{self.host}{self.prefix}/repos/{name}"

    def _described(self, name: str) -> dict[str, Any]:
        owner, _, short = name.partition("/")
        return {
            "id": 1,
            "node_id": "R_1",
            "name": short,
            "full_name": name,
            "private": False,
            "owner": {"login": owner, "id": 2, "node_id": "U_2", "type": "User"},
            "html_url": f"https://{self.host}/{name}",
            "url": self._api(name),
            "fork": name in self.parents,
            "default_branch": "main",
        }

    def _repository(self, name: str, _: Call) -> tuple[int, Any]:
        found = self._described(name)
        if parent := self.parents.get(name):
            found["parent"] = found["source"] = self._described(parent)
        return 200, found

    def _list(self, name: str, call: Call) -> tuple[int, Any]:
        def wanted(pull: Mapping[str, Any]) -> bool:
            label = f"{pull['source'].partition('/')[0]}:{pull['branch']}"
            fits = call.query.get("head", label) == label and call.query.get("base", pull["base"]) == pull["base"]
            return fits and pull["target"] == name and call.query.get("state", "open") in ("all", pull["state"])

        return 200, [self._pull(pull) for pull in reversed(self.pulls) if wanted(pull)]

    def _open(self, name: str, call: Call) -> tuple[int, Any]:
        given = call.body
        owner, _, branch = given["head"].rpartition(":")
        source = next((one for one in self.parents if owner and one.startswith(f"{owner}/")), name)
        if not self.tip(source, branch) or not self.tip(name, given["base"]):
            raise _invalid({"resource": "PullRequest", "field": "head", "code": "invalid"})
        if len(given.get("body") or "") > LONGEST:
            raise _invalid({"message": f"body is too long (maximum is {LONGEST} characters)"})
        if given.get("draft") and not self.drafts:
            raise RefusedError(422, {"message": "Draft pull requests are not supported in this repository."})
        same = {"target": name, "source": source, "branch": branch, "base": given["base"], "state": "open"}
        if any(pull.items() >= same.items() for pull in self.pulls):
            raise _invalid({"message": f"A pull request already exists for {given['head']}."})
        pull = {
            "number": len(self.pulls) + 1,
            "target": name,
            "source": source,
            "branch": branch,
            "base": given["base"],
            "title": given["title"],
            "body": given.get("body"),
            "draft": bool(given.get("draft")),
            "state": "open",
            "merged_at": None,
            "labels": [],
            "reviewers": [],
        }
        self.pulls.append(pull)
        return 201, self._pull(pull)

    def _get(self, _: str, __: Call, number: str) -> tuple[int, Any]:
        return 200, self._pull(self.pulls[int(number) - 1])

    def _edit(self, _: str, call: Call, number: str) -> tuple[int, Any]:
        if len(call.body.get("body") or "") > LONGEST:
            raise _invalid({"message": f"body is too long (maximum is {LONGEST} characters)"})
        self.pulls[int(number) - 1].update(call.body)
        return 200, self._pull(self.pulls[int(number) - 1])

    def _reviewers(self, _: str, call: Call, number: str) -> tuple[int, Any]:
        pull = self.pulls[int(number) - 1]
        wanted = [*call.body.get("reviewers", ()), *call.body.get("team_reviewers", ())]
        if unknown := [one for one in call.body.get("reviewers", ()) if one not in self.people]:
            what = f"Reviews may only be requested from collaborators: {', '.join(unknown)}"
            raise RefusedError(422, {"message": what})
        pull["reviewers"] += [one for one in wanted if one not in pull["reviewers"]]
        return 201, self._pull(pull)

    def _comments(self, _: str, __: Call, number: str) -> tuple[int, Any]:
        return 200, [self._told(one) for one in self.comments if one["pull"] == int(number)]

    def _comment(self, _: str, call: Call, number: str) -> tuple[int, Any]:
        made = {"pull": int(number), "id": 100 + len(self.comments), "body": call.body["body"]}
        self.comments.append(made)
        return 201, self._told(made)

    def _edit_comment(self, _: str, call: Call, number: str) -> tuple[int, Any]:
        found = next(one for one in self.comments if one["id"] == int(number))
        found["body"] = call.body["body"]
        return 200, self._told(found)

    def _remove_comment(self, _: str, __: Call, number: str) -> tuple[int, Any]:
        self.comments = [one for one in self.comments if one["id"] != int(number)]
        return 204, None

    def _told(self, comment: Mapping[str, Any]) -> dict[str, Any]:
        url = f"https://{self.host}/comments/{comment['id']}"
        return {
            "id": comment["id"],
            "node_id": "IC_1",
            "url": url,
            "html_url": url,
            "issue_url": url,
            "body": comment["body"],
            "created_at": MOMENT,
            "updated_at": MOMENT,
        }

    def _labels(self, _: str, call: Call, number: str) -> tuple[int, Any]:
        labels = self.pulls[int(number) - 1]["labels"]
        given = call.body if isinstance(call.body, list) else call.body["labels"]
        labels += [one for one in given if one not in labels]
        return 200, [{"id": 1, "name": one, "color": "ededed", "url": f"https://{self.host}/l"} for one in labels]

    def _rules(self, _: str, call: Call, __: str) -> tuple[int, Any]:
        if self.rules is None:
            raise RefusedError(403, {"message": "Upgrade to GitHub Pro or make this repository public"})
        return 200, _page(self.rules, call)

    def _commit(self, name: str, _: Call, commit: str) -> tuple[int, Any]:
        return 200, {"sha": commit, "url": f"{self._api(name)}/commits/{commit}", "node_id": "C_1"}

    def _check_runs(self, _: str, __: Call, commit: str) -> tuple[int, Any]:
        runs = self.runs.get(commit, [])
        return 200, {"total_count": len(runs), "check_runs": runs}

    def _status(self, name: str, call: Call, commit: str) -> tuple[int, Any]:
        found = self.statuses.get(commit, [])
        told = {"state": "pending", "sha": commit, "total_count": len(found), "statuses": _page(found, call)}
        return 200, told | {"url": f"{self._api(name)}/commits/{commit}/status"}

    def _pull(self, pull: Mapping[str, Any]) -> dict[str, Any]:
        number, target, api = pull["number"], pull["target"], self._api(pull["target"])
        head = pull.get("head") if pull["merged_at"] else self.tip(pull["source"], pull["branch"])

        def side(name: str, branch: str, commit: str) -> dict[str, Any]:
            return {
                "label": f"{name.partition('/')[0]}:{branch}",
                "ref": branch,
                "sha": commit,
                "repo": self._described(name),
            }

        return {
            "id": number,
            "node_id": f"PR_{number}",
            "number": number,
            "url": f"{api}/pulls/{number}",
            "html_url": f"https://{self.host}/{target}/pull/{number}",
            "issue_url": f"{api}/issues/{number}",
            "state": pull["state"],
            "title": pull["title"],
            "body": pull["body"],
            "draft": pull["draft"],
            "merged_at": pull["merged_at"],
            "merged": bool(pull["merged_at"]),
            "merge_commit_sha": pull.get("merge"),
            "labels": [{"name": one} for one in pull["labels"]],
            "head": side(pull["source"], pull["branch"], head or "0" * 40),
            "base": side(target, pull["base"], self.tip(target, pull["base"])),
        }


def _page(items: list[Any], call: Call) -> list[Any]:
    size, number = int(call.query.get("per_page", "30")), int(call.query.get("page", "1"))
    return items[size * (number - 1) : size * number]


def _invalid(error: Mapping[str, Any]) -> RefusedError:
    return RefusedError(422, {"message": "Validation Failed", "errors": [error]})


def main() -> int:
    """Serve one empty repository, for a person or a script: `python -m tests.forge.github FOLDER OWNER/NAME`.

    Prints the lines that a shell exports, then obeys lines of stdin: `merge 1 squash`; ends with it.
    """
    folder, name = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    with LoopbackGitHub(folder.resolve()).running() as hub:
        hub.add_repository(name)
        told = {**hub.environment, "REMOTE": hub.url(name)}
        sys.stdout.write("".join(f"export {key}={shlex.quote(value)}\n" for key, value in told.items()))
        sys.stdout.write("\n")
        sys.stdout.flush()
        for line in sys.stdin:
            _, number, how = line.split()
            sys.stdout.write(f"{hub.merge(int(number), how)}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
