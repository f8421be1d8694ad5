"""A landed run published: push its branch, open its pull request or bring it up to date, wait for its checks.

Nothing here can undo a landing; whatever fails is tried again by `parallel-impl pr <change-id>`. Events are recorded
after what they tell was done, and everything is looked up again, so a process may be killed at any point.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.errors import UserError
from parallel_impl.forge import body, template
from parallel_impl.forge.checks import Checks, ChecksVerdict
from parallel_impl.forge.checks import wait as wait_for_checks
from parallel_impl.forge.content import Content, draft_reasons
from parallel_impl.forge.forge import Forge
from parallel_impl.forge.pull_request import OpenedPull, WantedPull, Way
from parallel_impl.git import remotes
from parallel_impl.git.repo import Repo
from parallel_impl.plan import ids
from parallel_impl.record import events as e
from parallel_impl.record import json_form
from parallel_impl.record.journal import Journal, load_state, now
from parallel_impl.record.state import State
from parallel_impl.run.claims import change_lock
from parallel_impl.run.places import Places
from parallel_impl.run.publish import destination, story
from parallel_impl.run.publish.destination import Destination
from parallel_impl.run.run import Listener
from parallel_impl.storage import write_atomically


@dataclass(frozen=True, slots=True)
class Publication:
    """One landed run and where it is published."""

    places: Places
    state: State
    destination: Destination
    content: Content
    journal: Journal
    listener: Listener

    def record(self, *events: e.Event) -> None:
        """Write events to the journal, take them into the state and show them."""
        self.journal.append(*events)
        for event in events:
            self.state.apply(event)
            self.listener.event(event)


@dataclass(frozen=True, slots=True)
class Asked:
    """What `parallel-impl pr` was asked in `folder`; `minutes` is how long checks are waited for, None: not at all."""

    repo: Repo
    folder: Path
    change_id: str
    inherited: Mapping[str, str] = field(repr=False)
    minutes: float | None = None


def pull_request(asked: Asked, listener: Listener) -> int:
    """Do it; returns the exit code: 1 where the remote or the forge refuses, or checks did not pass.

    UserError where there is no such landed run, or the configuration is wrong.
    """
    ids.check(asked.change_id)
    with change_lock.hold(Places(asked.repo.git_dir, asked.change_id)):
        places, state = _landed(asked)
        commit = state.landed.commit if state.landed else ""
        found = Destination.find(asked.repo, asked.folder, asked.inherited, fallback=commit)
        content = story.load(asked.repo, places, state)
        with closing(Journal(places.journal)) as journal:
            publication = Publication(places, state, found, content, journal, listener)
            try:
                return _publish(publication, asked.minutes)
            except UserError as error:
                listener.say(str(error))
                listener.say(f"  the landing stays; try again: {_again(places)}")
                return 1


def after_landing(asked: Asked, listener: Listener, *, wanted: bool | None, stopped: bool = False) -> None:
    """The same for a run that has just landed, if it is `wanted`, by an option or else by the configuration.

    Whatever fails is reported with the command that tries again: the run has ended well. So is what was `stopped`.
    """
    try:
        if wanted if wanted is not None else destination.read_config(asked.repo, asked.folder).pr:
            if stopped:
                tell_failed(asked, listener, "interrupted")
            else:
                pull_request(asked, listener)
    except (UserError, OSError) as error:
        tell_failed(asked, listener, str(error))


def tell_failed(asked: Asked, listener: Listener, why: str) -> None:
    """Why a landed run has no pull request, or an old one, and the command that tries again."""
    listener.say(f"no pull request: {why}")
    listener.say(f"  the landing stays; try again: parallel-impl pr {asked.change_id}")


def _landed(asked: Asked) -> tuple[Places, State]:
    places = Places(asked.repo.git_dir, asked.change_id)
    state = load_state(places.journal)
    if state.started is None or state.landed is None:
        what = f"{asked.change_id} has not landed" if state.started else f"there is no run of {asked.change_id!r} here"
        raise UserError(what, hint=f"run it first: parallel-implement {asked.change_id}")
    return Places(asked.repo.git_dir, asked.change_id, state.started.part), state


def _publish(publication: Publication, minutes: float | None) -> int:
    if note := remotes.pre_push_hook(publication.destination.repo):
        publication.listener.say(f"  note: {note}")
    if not publication.destination.asks:
        return _by_hand(publication, waits=minutes is not None)
    forge = publication.destination.connect()
    opened = _open(publication, forge)
    if opened.way is Way.MERGED or minutes is None:
        return 0
    return _wait(publication, forge, opened, minutes)


def _open(publication: Publication, forge: Forge) -> OpenedPull:
    found, state, wanted = publication.destination, publication.state, _proposal(publication, forge)
    opened = found.open(forge, wanted)
    pull = opened.pull
    if opened.way is Way.MERGED:
        if state.merged is None:
            publication.record(e.Merged(at=now(), url=pull.url, number=pull.number, head=pull.head, commit=pull.merge))
        publication.listener.say(f"  merged already: {pull.url}; clean up: parallel-cleanup {wanted.change_id}")
        return opened
    _record_push(publication)
    told = state.pull_request
    if told is None or (told.number, told.commit) != (pull.number, wanted.commit):
        event = e.PullRequestOpened(at=now(), url=pull.url, number=pull.number, commit=wanted.commit, draft=pull.draft)
        publication.record(event)
    publication.listener.say(f"  pull request {opened.way}: {pull.url}")
    for remark in opened.remarks:
        publication.listener.say(f"  note: {remark}")
    return opened


def _proposal(publication: Publication, forge: Forge) -> WantedPull:
    found, content, told = publication.destination, publication.content, publication.state.pull_request
    secrets = found.secrets
    return WantedPull(
        change_id=content.change_id,
        run_id=content.run_id,
        branch=content.branch,
        commit=content.commit,
        base=found.base(forge),
        title=body.title(content, secrets),
        write=lambda room: body.write(content, secrets, room=room),
        draft=bool(draft_reasons(content)),
        template=template.find(found.repo, content.base, found.address.kind),
        labels=found.config.labels,
        reviewers=found.config.reviewers,
        complete=told.number if told else 0,
    )


def _record_push(publication: Publication) -> None:
    content, pushed, remote = publication.content, publication.state.pushed, publication.destination.remote
    if pushed is None or pushed.commit != content.commit:
        publication.record(
            e.BranchPushed(at=now(), remote=remote.address, branch=content.branch, commit=content.commit)
        )


def _by_hand(publication: Publication, *, waits: bool) -> int:
    """A forge that cannot be asked: the branch is pushed, the body lies in a file, and a line says the rest."""
    content, found, say = publication.content, publication.destination, publication.listener.say
    found.remote.push(content.branch, content.commit)
    _record_push(publication)
    written = body.write(content, found.secrets)
    file = publication.places.pull_request_body
    write_atomically(file, "\n\n".join((written.body, *written.comments)).encode())
    base = found.base(None)
    where = f" at {found.address.page}" if found.address.page else ""
    say(f"  open a pull request of {content.branch} to {base}{where}, with the body in {file}")
    line = ("git", "request-pull", f"{found.remote.name}/{base}", found.remote.address, content.branch)
    say(f"  or ask for it by mail: {shlex.join(line)}")
    if waits:
        say('  checks cannot be asked for here; forge = "github" or "gitlab" in the configuration says what it is')
        return 1
    return 0


def _wait(publication: Publication, forge: Forge, opened: OpenedPull, minutes: float) -> int:
    commit, say = publication.content.commit, publication.listener.say
    checks = wait_for_checks(forge, commit, opened.pull.base, minutes=minutes, pause=_pause)
    write_atomically(publication.places.checks, json_form.encode(checks, indent=1))
    publication.record(_answered(checks))
    for line in checks.lines:
        say(f"  {line}")
    say(f"  evidence: {publication.places.checks}")
    if checks.verdict is ChecksVerdict.UNANSWERED:
        say(f"  wait again: {_again(publication.places)} --wait")
    return 0 if checks.verdict is ChecksVerdict.PASSED else 1


def _answered(checks: Checks) -> e.ChecksAnswered:
    verdicts = {answer.name: str(answer.verdict) for answer in checks.answers}
    return e.ChecksAnswered(
        at=now(), commit=checks.commit, verdict=str(checks.verdict), checks=verdicts, required=bool(checks.required)
    )


def _pause(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _again(places: Places) -> str:
    return f"parallel-impl pr {places.change_id}"
