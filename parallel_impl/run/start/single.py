"""`--single`: a change as one package over the whole repository. Its plan is made, pinned by a ref, and never lands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parallel_impl import config
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.gates.quality import Gate
from parallel_impl.git.repo import Entry, Repo
from parallel_impl.openspec import single_plan
from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.run.spec import RunSpec
from parallel_impl.run.start import inputs
from parallel_impl.run.start.request import Request

REVISION = 1
DESCRIBED = ("proposal.md", "tasks.md")  # one of them says what the package is to do


def pin(request: Request, base: str, came_from: str) -> Entry | None:
    """The made plan, as the entry of a blob that a ref keeps; None for a run with a plan of its own.

    UserError where `--single` is given to a run that has one, and where there is no change to make it from.
    """
    places, repo, state, asked = request.places, request.repo, request.state, request.options.single
    if state.started and not state.single and asked:
        raise UserError(
            f"this run of {places.change_id} goes on with its plan",
            where="--single",
            hint=f"leave --single away, or give the run up first: parallel-implement {places.change_id} --abort",
        )
    if not asked and not state.single:
        return None
    blob = state.plan_blob if state.started else _make(request, base, came_from)
    for line in _announce(places, ignored=_plan_of(repo, places, base) != ""):
        request.listener.say(line)
    return Entry("100644", "blob", blob, places.plan_file)


def check_unplanned(repo: Repo, places: Places, state: State, commit: str) -> None:
    """UserError where `commit` has a plan that the base of a run without one has not: which of the two is meant?"""
    found = _plan_of(repo, places, commit) if commit else ""
    if not found or not state.started:
        return
    base = state.started.base
    if found not in (_plan_of(repo, places, one) for one in (base, *repo.merge_bases(commit, base))):
        raise UserError(
            f"a plan was committed, but this run of {places.change_id} was started with --single",
            where=places.plan_file,
            hint=f"give the run up, then start with the plan:\n    parallel-implement {places.change_id} --abort\n"
            f"    parallel-implement {places.change_id}\n    or take the plan out of the commit again to go on",
        )


def unverified(spec: RunSpec, gates: Iterable[Gate]) -> list[Problem]:
    """A warning where no gate verifies the one package; `gates` are those that were looked up."""
    if not spec.single or any(gate.runs and not gate.texts for gate in gates):
        return []
    hint = f'write e.g. gates.check = {{command = "make check"}} in {spec.config.source or config.FILE}'
    what = "no gate is run on the code, so nothing verifies what the agent of --single does"
    return [Problem(what, hint=hint, severity=Severity.WARNING)]


def _make(request: Request, base: str, came_from: str) -> str:
    """Write the plan as a blob, on the ref that keeps it."""
    repo, places = request.repo, request.places
    files = {name: repo.read(base, f"{places.folder}/{name}") for name in DESCRIBED}
    if all(content is None for content in files.values()):
        raise inputs.undescribed(repo, places, came_from, request.folder, base)
    made = single_plan.text(
        places.change_id,
        part=places.part,
        configuration=config.FILE,
        proposal=files["proposal.md"] or b"",
        task_list=files["tasks.md"] or b"",
    )
    blob = repo.write_blob(made)
    repo.set_ref(places.plan_ref(REVISION), blob)
    return blob


def _announce(places: Places, *, ignored: bool) -> Iterator[str]:
    if ignored:
        yield f"--single: {places.plan_file} is ignored"
    kept = ", ".join(single_plan.denied(places.change_id, places.part, config.FILE))
    yield f"--single: one package claims the whole repository, so no other run works beside it; it may not write {kept}"


def _plan_of(repo: Repo, places: Places, commit: str) -> str:
    """The id of the plan file in a commit; "" where it has none."""
    return next((entry.oid for entry in repo.entries(commit, places.plan_file)), "")
