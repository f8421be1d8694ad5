"""GitHub, and GitHub Enterprise, by PyGithub.

Only what changes nothing is repeated after a failure of the server: a request that opens something may have been
obeyed although its answer was lost, so its caller looks again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from parallel_impl.errors import first_line
from parallel_impl.forge.address import Address
from parallel_impl.forge.credentials import Access
from parallel_impl.forge.forge import CheckAnswer, CheckVerdict, Comment, ForgeError, PullRequest, PullState, answering

if TYPE_CHECKING:
    import github
    from github.PullRequest import PullRequest as Pull
    from github.Repository import Repository

TIMEOUT = 15  # seconds for an answer
TRIES = 3  # of what changes nothing
PAGE = 100  # items at once, the most that GitHub gives
LONGEST_WAIT = 60  # seconds for a rate limit to end
PASSED = ("success", "neutral", "skipped")  # as GitHub itself counts them for a merge


def open_repository(address: Address, target: str, access: Access) -> GitHub:
    """The repository of an address, and the one that its pull requests go to: `target`, its parent, or itself."""
    import github  # noqa: PLC0415
    from github.GithubRetry import GithubRetry  # noqa: PLC0415

    retry = GithubRetry(
        total=TRIES,
        backoff_factor=0.5,
        secondary_rate_wait=LONGEST_WAIT / 2,
        max_rate_limit_wait=LONGEST_WAIT,
        allowed_methods=frozenset(("GET",)),
    )
    client = github.Github(
        auth=github.Auth.Token(access.token),
        base_url=address.api,
        verify=access.verify,
        timeout=TIMEOUT,
        retry=retry,
        user_agent="parallel-implement",
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    with _asking(address.host):
        ours = client.get_repo(address.name)
        if target:
            return GitHub(address, client, client.get_repo(target))
        return GitHub(address, client, ours.parent if ours.fork and ours.parent else ours)


class GitHub:
    """One repository on GitHub that pull requests go to; their branches are in the repository of `address`."""

    def __init__(self, address: Address, client: github.Github, target: Repository) -> None:
        self._address, self._client, self._target = address, client, target

    @property
    def default_base(self) -> str:
        return self._target.default_branch

    def find(self, branch: str, base: str) -> list[PullRequest]:
        with _asking(self._address.host):
            head = f"{self._address.owner}:{branch}"
            return [_read(one) for one in self._target.get_pulls(state="all", head=head, base=base)]

    def get(self, number: int) -> PullRequest:
        with _asking(self._address.host):
            return _read(self._target.get_pull(number))

    def open(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest | None:
        same = self._target.full_name.lower() == self._address.name.lower()
        head = branch if same else f"{self._address.owner}:{branch}"
        try:
            with _asking(self._address.host):
                return _read(self._target.create_pull(base, head, title=title, body=body, draft=draft))
        except ForgeError as error:
            told = str(error).lower()
            if "already exists" in told:
                return None
            if draft and "draft pull requests are not supported" in told:
                return self.open(branch, base, title, body, draft=False)
            raise

    def edit(self, number: int, body: str) -> None:
        with _asking(self._address.host):
            self._pull(number).edit(body=body)

    def comments(self, number: int) -> list[Comment]:
        with _asking(self._address.host):
            return [Comment(number, one.id, one.body or "") for one in self._pull(number).get_issue_comments()]

    def add_comment(self, number: int, body: str) -> None:
        with _asking(self._address.host):
            self._pull(number).create_issue_comment(body)

    def edit_comment(self, comment: Comment, body: str) -> None:
        with _asking(self._address.host):
            self._ask("PATCH", f"/issues/comments/{comment.id}", {"body": body})

    def remove_comment(self, comment: Comment) -> None:
        with _asking(self._address.host):
            self._ask("DELETE", f"/issues/comments/{comment.id}")

    def add_labels(self, number: int, labels: Sequence[str]) -> None:
        with _asking(self._address.host):
            self._ask("POST", f"/issues/{number}/labels", {"labels": list(labels)})  # the library sends a bare list

    def ask_reviewers(self, number: int, reviewers: Sequence[str]) -> None:
        people = [name for name in reviewers if "/" not in name]
        teams = [name.rpartition("/")[2] for name in reviewers if "/" in name]
        with _asking(self._address.host):
            self._pull(number).create_review_request(reviewers=people, team_reviewers=teams)

    def required_checks(self, base: str) -> tuple[str, ...] | None:
        try:
            with _asking(self._address.host):
                rules = list(self._pages(f"/rules/branches/{quote(base, safe='')}"))
        except ForgeError as error:
            if error.again:
                raise
            return None
        found = [rule.get("parameters", {}) for rule in rules if rule.get("type") == "required_status_checks"]
        names = (check["context"] for one in found for check in one.get("required_status_checks", ()))
        return tuple(dict.fromkeys(names))

    def checks(self, commit: str) -> list[CheckAnswer]:
        with _asking(self._address.host):
            runs = [_run(one) for one in self._target.get_commit(commit).get_check_runs(filter="latest")]
            states = [_status(one) for one in self._pages(f"/commits/{commit}/status", "statuses")]
        return [*runs, *states]

    def _pull(self, number: int) -> Pull:
        return self._target.get_pull(number)

    def _pages(self, path: str, inside: str = "") -> Iterator[Any]:
        """All items of a list, however many pages it has; `inside` names it where the answer is more than the list."""
        for number in itertools.count(1):
            found = self._ask("GET", path, page={"per_page": PAGE, "page": number})
            items = found[inside] if inside else found
            yield from items
            if len(items) < PAGE:
                return

    def _ask(
        self, verb: str, path: str, given: dict[str, Any] | None = None, *, page: dict[str, Any] | None = None
    ) -> Any:
        url = f"{self._target.url}{path}"
        _, data = self._client.requester.requestJsonAndCheck(verb, url, parameters=page, input=given)
        return data


def _read(pull: Pull) -> PullRequest:
    state = PullState.MERGED if pull.merged_at else PullState(pull.state)
    merge = (pull.merge_commit_sha or "") if pull.merged_at else ""
    body, draft = pull.body or "", bool(pull.draft)
    return PullRequest(pull.number, pull.html_url, state, body, pull.head.sha, pull.base.ref, draft, merge)


def _run(run: Any) -> CheckAnswer:
    if run.status != "completed":
        return CheckAnswer(run.name, CheckVerdict.PENDING, run.status, run.html_url or "")
    verdict = CheckVerdict.PASSED if run.conclusion in PASSED else CheckVerdict.FAILED
    return CheckAnswer(run.name, verdict, str(run.conclusion), run.html_url or "")


def _status(status: Mapping[str, Any]) -> CheckAnswer:
    verdicts = {"pending": CheckVerdict.PENDING, "success": CheckVerdict.PASSED}
    verdict = verdicts.get(status["state"], CheckVerdict.FAILED)
    return CheckAnswer(status["context"], verdict, status["state"], status["target_url"] or "")


@contextmanager
def _asking(host: str) -> Iterator[None]:
    """What GitHub refuses in here, and that it cannot be reached, is a ForgeError that says what to do."""
    import github  # noqa: PLC0415

    try:
        with answering(host):
            yield
    except github.GithubException as error:
        raise _refusal(host, error.status, _told(error), error.headers or {}) from None


def _refusal(host: str, status: int, told: str, headers: Any) -> ForgeError:
    limited = "rate limit" in told.lower() or headers.get("x-ratelimit-remaining") == "0"
    what, hint = f"{status}: {told}", "see the message of the forge"
    if status == 401:
        hint = f"the token is not valid (any more): export GH_TOKEN=…, or: gh auth login -h {host}"
    elif status in (403, 429) and limited:
        hint = "a rate limit: wait for it to end"
    elif status == 403:
        hint = "the token may not do this: it needs to write pull requests, and to read contents and checks"
    elif status == 404:
        hint = "there is no such repository or branch, or the token may not see it"
    elif status >= 500:
        hint = "the forge has a problem: try later"
    return ForgeError(what, where=host, hint=hint, again=limited or status >= 500)


def _told(error: github.GithubException) -> str:
    """The forge's message, with what it says about each field."""
    data = error.data if isinstance(error.data, dict) else {}
    details = data.get("errors") or ()
    more = [str(one.get("message") or one.get("code") or "") if isinstance(one, dict) else str(one) for one in details]
    words = [str(data.get("message") or error.message or "no reason given"), *filter(None, more)]
    return first_line("; ".join(words))
