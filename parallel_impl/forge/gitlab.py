"""GitLab, and a GitLab of one's own, by python-gitlab. A pull request is a merge request there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from parallel_impl.forge.address import Address
from parallel_impl.forge.credentials import Access
from parallel_impl.forge.forge import CheckAnswer, CheckVerdict, Comment, ForgeError, PullRequest, PullState, answering

TIMEOUT = 15
DRAFT = "Draft: "  # what a title begins with is what makes a draft
INSTALL = "pip install 'parallel-implement[gitlab]'"
STATES = {"opened": PullState.OPEN, "locked": PullState.OPEN, "closed": PullState.CLOSED, "merged": PullState.MERGED}
VERDICTS = {
    "success": CheckVerdict.PASSED,
    "skipped": CheckVerdict.PASSED,
    "failed": CheckVerdict.FAILED,
    "canceled": CheckVerdict.FAILED,
}

# of a job that may fail; one that waits for a click and may not fail blocks its pipeline until somebody clicks
HARMLESS = ("failed", "manual")


def open_project(address: Address, target: str, access: Access) -> GitLab:
    """The project of an address, and the one that its merge requests go to: `target`, its parent, or itself."""
    try:
        import gitlab  # noqa: PLC0415
    except ImportError:
        raise ForgeError("the library for GitLab is not installed", hint=INSTALL) from None
    client = gitlab.Gitlab(
        address.api,
        private_token=access.token,
        ssl_verify=access.verify,
        timeout=TIMEOUT,
        user_agent="parallel-implement",
    )
    with _asking(address.host):
        ours = client.projects.get(address.name)
        above = getattr(ours, "forked_from_project", None)
        wanted = target or (above["path_with_namespace"] if above else "")
        return GitLab(address, client, ours, client.projects.get(wanted) if wanted else ours)


class GitLab:
    """One project that merge requests go to; their branches are in the project of `address`."""

    def __init__(self, address: Address, client: Any, ours: Any, target: Any) -> None:
        self._address, self._client, self._ours, self._target = address, client, ours, target

    @property
    def default_base(self) -> str:
        return str(self._target.default_branch)

    def find(self, branch: str, base: str) -> list[PullRequest]:
        with _asking(self._address.host):
            found = self._target.mergerequests.list(
                state="all", source_branch=branch, target_branch=base, order_by="created_at", get_all=True
            )
            return [_read(one) for one in found if one.source_project_id == self._ours.id]

    def get(self, number: int) -> PullRequest:
        with _asking(self._address.host):
            return _read(self._request(number))

    def open(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest | None:
        given = {
            "source_branch": branch,
            "target_branch": base,
            "target_project_id": self._target.id,
            "title": f"{DRAFT if draft else ''}{title}",
            "description": body,
        }
        try:
            with _asking(self._address.host):
                return _read(self._ours.mergerequests.create(given))
        except ForgeError as error:
            if "already exists" in str(error).lower():
                return None
            raise

    def edit(self, number: int, body: str) -> None:
        with _asking(self._address.host):
            self._target.mergerequests.update(number, {"description": body})

    def comments(self, number: int) -> list[Comment]:
        with _asking(self._address.host):
            notes = self._request(number).notes.list(sort="asc", order_by="created_at", get_all=True)
            return [Comment(number, one.id, one.body) for one in notes if not one.system]

    def add_comment(self, number: int, body: str) -> None:
        with _asking(self._address.host):
            self._request(number).notes.create({"body": body})

    def edit_comment(self, comment: Comment, body: str) -> None:
        with _asking(self._address.host):
            self._request(comment.pull).notes.update(comment.id, {"body": body})

    def remove_comment(self, comment: Comment) -> None:
        with _asking(self._address.host):
            self._request(comment.pull).notes.delete(comment.id)

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        with _asking(self._address.host):
            self._target.mergerequests.update(number, {"add_labels": ",".join(labels)})

    def ask_reviewers(self, number: int, reviewers: Sequence[str]) -> None:
        with _asking(self._address.host):
            found = {name: self._client.users.list(username=name, get_all=False) for name in reviewers}
            unknown = [name for name, users in found.items() if not users]
            ids = [users[0].id for users in found.values() if users]
            self._target.mergerequests.update(number, {"reviewer_ids": ids})
        if unknown:
            raise ForgeError(f"no user {', '.join(unknown)}", where=self._address.host, hint="correct: reviewers")

    def required_checks(self, base: str) -> tuple[str, ...] | None:  # noqa: ARG002
        """GitLab requires a pipeline, not jobs by their names: all of them count."""
        return None

    def checks(self, commit: str) -> list[CheckAnswer]:
        with _asking(self._address.host):
            statuses = self._ours.commits.get(commit, lazy=True).statuses.list(get_all=True)
        return [_status(one) for one in statuses]

    def _request(self, number: int) -> Any:
        return self._target.mergerequests.get(number)


def _read(request: Any) -> PullRequest:
    merge = getattr(request, "merge_commit_sha", "") or getattr(request, "squash_commit_sha", "") or ""
    return PullRequest(
        request.iid,
        request.web_url,
        STATES[request.state],
        request.description or "",
        request.sha or "",
        request.target_branch,
        bool(getattr(request, "draft", False)),
        merge if request.state == "merged" else "",
    )


def _status(status: Any) -> CheckAnswer:
    allowed = bool(getattr(status, "allow_failure", False)) and status.status in HARMLESS
    verdict = CheckVerdict.PASSED if allowed else VERDICTS.get(status.status, CheckVerdict.PENDING)
    return CheckAnswer(status.name, verdict, status.status, getattr(status, "target_url", "") or "")


@contextmanager
def _asking(host: str) -> Iterator[None]:
    """What GitLab refuses in here, and that it cannot be reached, is a ForgeError that says what to do."""
    import gitlab  # noqa: PLC0415

    try:
        with answering(host):
            yield
    except gitlab.GitlabError as error:
        code = error.response_code or 0
        hints = {
            401: "the token is not valid (any more): export GITLAB_TOKEN=…",
            403: "the token may not do this: it needs the scope `api`",
            404: "there is no such project or branch, or the token may not see it",
        }
        again = code == 429 or code >= 500
        hint = hints.get(code, "wait, then try again" if again else "see the message of the forge")
        raise ForgeError(f"{code}: {error.error_message}", where=host, hint=hint, again=again) from None
