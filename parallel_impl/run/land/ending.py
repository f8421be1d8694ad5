"""How a run ends: the lines that are printed last, the exit code, and the summary beside the journal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from parallel_impl.contracts import check as contracts
from parallel_impl.errors import count
from parallel_impl.git import diffstat, tool_caches
from parallel_impl.git import remotes as remotes_of_git
from parallel_impl.record import events as e
from parallel_impl.record import json_form
from parallel_impl.record.codes import Halt, describe_halt
from parallel_impl.record.journal import now
from parallel_impl.record.state import PackageState
from parallel_impl.report import handoff, markdown, summary
from parallel_impl.report.course import course
from parallel_impl.report.outline import outline
from parallel_impl.report.picture import Roots, picture, relative, telling
from parallel_impl.run import stopwatch
from parallel_impl.run.feature_branch import Move
from parallel_impl.run.land import keeping, ticking
from parallel_impl.run.land.proof import Proof
from parallel_impl.run.run import Run
from parallel_impl.storage import write_atomically
from parallel_impl.text import masked, shorten, until


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: exit code, status for the summary, and the lines that are printed last."""

    exit_code: int
    status: str
    headline: str
    lines: tuple[str, ...]
    code: Halt | None = None
    commit: str = ""
    proof: Proof | None = None


def landed(run: Run, commit: str, old: str, proven: Proof) -> Ending:
    """The feature branch is at `commit`; it was at `old`."""
    places, packages = run.workspace.places, count(len(run.in_force.order.topological), "package")
    headline = f"{places.branch} is {commit[:12]}: {packages}, each in its scope{_empty(run)}; {proven.headline}"
    headline += "".join(f"; left out of {one}" for one in _installed(run))
    branch = f"heads/{places.branch}" if run.workspace.repo.ref(f"refs/tags/{places.branch}") else places.branch
    lines = (
        "",
        f"Landed: {headline}",
        f"  look:     git log --first-parent --oneline {branch}",
        f"  diff:     git diff {run.spec.base[:12]}...{branch}",
        f"  merge:    git merge {branch}",
        *_old_failures(proven),
        f"  evidence: {places.summary}",
        *_open_tasks(run, commit),
        *_publish(run),
        f"  clean up: parallel-cleanup {places.change_id}   (when it is merged)",
    )
    return _land(run, Ending(0, "landed", headline, lines, commit=commit, proof=proven), old)


def taken(run: Run, commit: str, tip: str, proven: Proof) -> Ending:
    """The feature branch has what was proven, `commit`: the user took it by hand, and may have gone on from there."""
    if tip == commit:
        return landed(run, commit, commit, proven)
    places, repo = run.workspace.places, run.workspace.repo
    later = repo.text("rev-list", "--count", "--end-of-options", tip, f"^{commit}")
    on_top = f"{count(int(later), 'commit')} on top that this run has not proven, up to {tip[:12]}"
    packages = count(len(run.in_force.order.topological), "package")
    headline = f"{places.branch} has {commit[:12]}: {packages}, each in its scope; {proven.headline}; {on_top}"
    lines = (
        "",
        f"Landed: {headline}",
        f"  on top:   git log {commit[:12]}..{places.branch_ref}",
        f"  evidence: {places.summary}",
        f"  clean up: parallel-cleanup {places.change_id}   (when it is merged)",
    )
    return _land(run, Ending(0, "landed", headline, lines, commit=commit, proof=proven), commit)


def _land(run: Run, ending: Ending, old: str) -> Ending:
    places = run.workspace.places
    run.look_at_checkouts()
    summarise(run, ending)  # before the event: what has landed is not looked at again, so its evidence must be there
    run.record(e.Landed(at=now(), commit=ending.commit, branch=places.branch, old=old))
    return ending


def _empty(run: Run) -> str:
    """How many packages changed nothing; "" where all did something."""
    empty = sum(not run.layers[name].changes for name in run.in_force.order.topological)
    return f", {empty} of them changed nothing" if empty else ""


def _old_failures(proven: Proof) -> Iterator[str]:
    """What fails as it did on the base, which is no reason not to land and must not pass for proven."""
    old = [f"{row.name} {row.old_failures}" for row in proven.rows if row.old_failures]
    if old:
        yield f"  failing as before, on the base too: {', '.join(old)}"


def _publish(run: Run) -> Iterator[str]:
    """The line that publishes the branch, where there is a remote to publish it to."""
    spec, repo = run.spec, run.workspace.repo
    remotes = remotes_of_git.for_publishing(repo, spec.users_branch, spec.config.remote)
    if len(remotes) == 1:
        yield f"  publish:  git push -u {shlex.quote(remotes[0])} {run.workspace.places.branch_ref}"
        yield f"  review:   parallel-impl pr {run.workspace.places.change_id}"
    elif remotes:
        yield f"  publish:  git push -u <remote> {run.workspace.places.branch_ref}   (one of {', '.join(remotes)})"


def _open_tasks(run: Run, commit: str) -> Iterator[str]:
    """The boxes that are still open, as no package's tasks name them: the first few."""
    if left := ticking.open_tasks(run, commit):
        shown = "; ".join(shorten(task, 60) for task in left[:3]) + (" …" if len(left) > 3 else "")
        yield f"  open:     {count(len(left), 'task')} of tasks.md that no package names: {shown}"


def _installed(run: Run) -> Iterator[str]:
    """What accepted attempts left although the plan lets them write there: an agent's `npm install`, say."""
    for name, progress in run.state.packages.items():
        if progress.commit and progress.ended:
            number = progress.ended[-1].number
            result = summary.read_result(run.workspace.places.attempt(name, number))
            for entry in result.files_ignored if result else ():
                if tool_caches.INSTALLED in entry:
                    yield f"{name}: {entry}"


def halt(
    run: Run, code: Halt, why: str, *, proven: Proof | None = None, commit: str = "", tip: str | None = None
) -> Ending:
    """End without landing: nothing moves, everything is kept, and the user learns what to look at.

    `tip` is where the feature branch is, if that is why.
    """
    places = run.workspace.places
    run.look_at_checkouts()
    run.record(e.RunHalted(at=now(), code=code, why=why, tip=tip))
    lines = [
        "",
        f"Not landed: {describe_halt(code)}; {places.branch} {_stays(code)}, all work is kept.",
        *(f"  {line}" for line in (_blocked(run, why) if code is Halt.NOT_ALL_ACCEPTED else why.split("\n"))),
        f"  evidence: {places.summary}",
    ]
    if commit:
        lines.append(f"  look at what would have landed: git log --first-parent {places.candidate_ref}")
    lines += _describe_failed(run)
    if code is Halt.ONLY:
        lines.append(f"  go on with all packages: parallel-implement {places.change_id}")
    headline = f"not landed: {describe_halt(code)}: {why}"
    return Ending(1, "halted", headline, tuple(lines), code=code, commit=commit, proof=proven)


def branch_moved(run: Run, move: Move, *, proven: Proof | None = None, commit: str = "") -> Ending:
    """Somebody moved the feature branch: what came with it lands only with the user's consent."""
    why = move.describe(run.workspace.places.change_id)
    return halt(run, Halt.BRANCH_MOVED, why, proven=proven, commit=commit, tip=move.tip)


def _stays(code: Halt) -> str:
    return "stays as it is" if code is Halt.BRANCH_MOVED else "is where it was"


def tampered(run: Run, changed: e.RepositoryChanged) -> Ending:
    """Somebody changed the repository, or the folders around the checkouts, in a way that stops everything."""
    return halt(run, tampering_code(changed), "\n".join(changed.what))


def tampering_code(changed: e.RepositoryChanged) -> Halt:
    """The word for what was changed."""
    return Halt.FOREIGN_FILES if changed.around else Halt.REPOSITORY_CHANGED


def _blocked(run: Run, why: str) -> Iterator[str]:
    """Each package that is not accepted, with the lines that tell why; its log and the summary have the others."""
    roots = Roots(run.state.home, run.workspace.source.repository_name, str(run.workspace.places.state))
    for line in why.split("\n"):
        name = line.partition(" ")[0]
        if name in run.state.packages:
            yield relative(line, roots)
            yield from (f"  {text}" for text in telling(run.state.packages[name].why, roots))


def paused(run: Run, pause: e.RunPaused) -> Ending:
    """A provider refuses to serve: nothing is lost, and the same command goes on."""
    places = run.workspace.places
    run.look_at_checkouts()
    lines = (
        "",
        f"Paused by {pause.by}{until(pause.until)}; all work is kept.",
        *(f"  {line}" for line in pause.why.split("\n")),
        f"  {pause.going_on(f'parallel-implement {places.change_id}')}",
        f"  evidence: {places.summary}",
    )
    headline = f"paused by {pause.by}{until(pause.until)}: {pause.why}"
    return Ending(1, "paused", headline, lines, code=Halt.PAUSED)


def over_limit(run: Run, over: str) -> Ending:
    """The run has used up one of its limits: nothing more starts."""
    why = f"limits.run: {over}\nraise it in {run.spec.config.source}, commit, and give the same command again"
    return halt(run, Halt.BUDGET_EXCEEDED, why)


def _describe_failed(run: Run) -> Iterator[str]:
    places, work = run.workspace.places, dict(_kept_work(run))
    failed = {name: one for name, one in run.state.packages.items() if one.state is PackageState.FAILED}
    for name, progress in failed.items():
        if progress.ended:
            yield f"  {name}: logs in {places.attempt(name, progress.ended[-1].number)}"
            if name in work:
                yield f"  {name}: its work: git show {work[name]}"
    if failed:
        starts = [one for one in run.journal.events() if isinstance(one, e.RunStarted | e.RunContinued)]
        only = f" --only {shlex.quote(starts[-1].only)}" if starts and starts[-1].only else ""
        yield f"  try what failed again: parallel-implement {places.change_id}{only} --retry-failed"
        if not run.spec.single:
            yield f"  or correct {places.plan_file} and commit it: the same command takes it as the next revision"


def _changed_anything(run: Run, commit: str) -> bool:
    """Whether an attempt's commit holds another tree than the base of its package, which is its only parent."""
    repo = run.workspace.repo
    return any(repo.tree(commit) != repo.tree(parent) for parent in repo.parents(commit))


def interrupted(run: Run) -> Ending:
    """A signal stopped the run."""
    run.look_at_checkouts()
    line = f"Interrupted. Accepted work is kept; go on with: parallel-implement {run.workspace.places.change_id}"
    return Ending(130, "interrupted", "interrupted", ("", line), code=Halt.INTERRUPTED)


def summarise(run: Run, ending: Ending) -> tuple[str, ...]:
    """Write summary.md, summary.json, and a page for each accepted package, beside the journal.

    Returns the last line for people: where a run that did not land says how to go on.
    """
    run.record(stopwatch.of_run(), sync=False)
    run.count_checkouts()
    places, happened = run.workspace.places, run.journal.events()
    in_force = run.in_force
    found = course(happened, outline(in_force.plan, in_force.order, state=places.state, jobs=run.jobs))
    drawn = picture(found, now(), alive=False)
    document = summary.build(_facts(run, ending), happened, found)
    mask = run.launch.mask  # it names files, which agents may call as they like
    write_atomically(places.summary_json, masked(json_form.encode(document, indent=1), mask))
    write_atomically(places.summary, masked(markdown.render(document, drawn).encode(), mask))
    rows = {row.id: row for row in document.packages}
    for name, page in keeping.pages(run):
        whole = masked((page + markdown.of_run(rows[name])).encode(), mask)
        write_atomically(places.completed_page(name), whole, durably=False)
    if ending.status == "landed":
        return ()
    page = handoff.render(drawn, _stop(run, ending, document, only=found.only))
    write_atomically(places.handoff, masked(page.encode(), mask))
    return (f"  what to do next: {places.handoff}",)


def _facts(run: Run, ending: Ending) -> summary.Facts:
    places, repo, spec = run.workspace.places, run.workspace.repo, run.spec
    commits = [progress.commit for progress in run.state.packages.values() if progress.commit]
    return summary.Facts(
        change_id=places.change_id,
        branch=places.branch,
        order=run.in_force.order.topological,
        state=run.state,
        attempts=places.attempts,
        status=ending.status,
        code=str(ending.code or ""),
        headline=ending.headline,
        commit=ending.commit,
        gates=ending.proof.rows if ending.proof else (),
        contracts=tuple(summary.ContractRow(*one) for one in _contracts(run, ending.commit)),
        switched_off=tuple(_switched_off(run)),
        open_tasks=ticking.open_tasks(run, ending.commit) if ending.commit else (),
        notes=tuple(note for note in run.state.notes if note not in spec.lacking),
        lacking=spec.lacking,
        changed=diffstat.between(repo, spec.base, ending.commit) if ending.commit else diffstat.Diffstat(),
        diffs=diffstat.of_commits(repo, commits),
    )


def _stop(run: Run, ending: Ending, document: summary.Summary, *, only: str) -> handoff.Handoff:
    """What a person needs to go on with a run that stopped."""
    places = run.workspace.places
    return handoff.Handoff(
        headline=f"not landed: {describe_halt(ending.code or '')}" if ending.status == "halted" else ending.headline,
        branch=places.branch,
        work=dict(_kept_work(run)),
        candidate=places.candidate_ref if ending.commit else "",
        to_check=document.for_a_person,
        state=str(places.state),
        plan="" if run.spec.single else places.plan_file,
        only=only,
    )


def _kept_work(run: Run) -> Iterator[tuple[str, str]]:
    """Failed packages with the ref of what their last attempt changed."""
    places, refs = run.workspace.places, run.workspace.repo.refs(run.workspace.places.attempt_refs)
    for name, progress in run.state.packages.items():
        if progress.state is PackageState.FAILED and progress.ended:
            last = progress.ended[-1]
            elsewhere = places.side_refs_of(name, last.number, refs)
            if last.commit and _changed_anything(run, last.commit):
                yield name, places.attempt_ref(name, last.number)
            elif elsewhere:
                yield name, elsewhere[0]


def _switched_off(run: Run) -> Iterator[str]:
    yield from (f"gate {gate.name}" for gate in run.spec.gates if gate.off)
    if not run.spec.config.contain:
        yield "PID namespaces of agents (contain = false)"


def _contracts(run: Run, commit: str) -> Iterator[tuple[str, str]]:
    """Each contract of the plan, and what was checked about it in the tree that the run ended with."""
    plan, folder, repo = run.in_force.plan, run.workspace.places.folder, run.workspace.repo
    writers = {path: package.id for package in plan.packages for path in contracts.made_by(plan, package, folder)}
    for path in plan.contracts.files:
        places = contracts.candidates(plan, path, folder)
        there = any(repo.read(commit or run.spec.base, place) is not None for place in places)
        writer = writers.get(path, "")
        if writer and writer not in run.state.accepted():
            yield path, f"to be written by {writer}, which was not accepted"
        elif there:
            yield path, f"valid, may be written by {writer}" if writer else "valid on the base, changed by no package"
        else:
            yield path, "missing"
