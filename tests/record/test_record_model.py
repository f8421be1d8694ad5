"""The state against a model of it: random plans, failures, retries, crashes, restarts and edited plans."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parallel_impl.plan import conflicts
from parallel_impl.plan import order as ordering
from parallel_impl.plan import revision as revisions
from parallel_impl.plan.globs.overlap import intersect
from parallel_impl.plan.model import Package, Plan, Scope
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.record.state import ENDED, LIVE, PackageState, RunState, State, fold

NAMES = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=6, unique=True)
GLOBS = st.sampled_from(["x/**", "x/a", "x/*", "y/**", "y/b", "z", "w/**", "v", "u/*.py"])
PATIENCE = 200


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A sound plan: packages that would overlap are put in order, as the message about them says."""
    packages: list[Package] = []
    for name in draw(NAMES):
        above = draw(st.lists(st.sampled_from([one.id for one in packages]), unique=True)) if packages else []
        words = draw(st.sampled_from(["this", "that"]))
        packages.append(Package(name, words, Scope((draw(GLOBS),)), depends_on=tuple(above), retry_budget=1))
    plan = Plan("m", tuple(packages))
    while found := conflicts.find(plan, ordering.of(plan)).conflicts:
        first, second = found[0].first.package, found[0].second.package
        ordered = (
            replace(one, depends_on=(*one.depends_on, first)) if one.id == second else one for one in plan.packages
        )
        plan = replace(plan, packages=tuple(ordered))
    return plan


class Runs(RuleBasedStateMachine):
    """One run, driven as `run.runner` and `run.resume.go_on` drive it; what must hold is checked after every step."""

    @initialize(plan=plans())
    def begin(self, plan: Plan) -> None:
        self.plan, self.journal, self.state = plan, list[e.Event](), State()
        self.epoch = dict.fromkeys((one.id for one in plan.packages), 0)
        self.made_in: dict[str, str] = {}
        self.numbers: set[tuple[str, int]] = set()
        self.live: dict[tuple[str, str], int] = {}
        above = {one.id: list(one.depends_on) for one in plan.packages}
        self.happen(
            e.RunStarted(
                run_id="r", change_id="m", base="b", base_from="HEAD", plan_blob="p", plan_revision=1,
                contracts_revision=1, packages=above, home="/h", date=1, agent="n", jobs=3,
            )
        )  # fmt: skip

    def happen(self, event: e.Event) -> None:
        self.journal.append(event)
        self.state.apply(event)

    def revision_of(self, name: str) -> str:
        """What a result of the package is made from: its own words, its rounds, and the same of all above it."""
        one = self.plan.package(name)
        above = sorted(self.revision_of(up) for up in one.depends_on)
        return f"{name} {one.description} {one.scope.write_allow} {self.epoch[name]} {above}"

    def choose(self, data: st.DataObject, states: tuple[PackageState, ...]) -> str:
        names = [name for name, progress in self.state.packages.items() if progress.state in states]
        return data.draw(st.sampled_from(sorted(names)))

    def any_in(self, *states: PackageState) -> bool:
        return any(progress.state in states for progress in self.state.packages.values())

    @rule(jobs=st.integers(1, 4))
    def start(self, jobs: int) -> None:
        for name, above in self.state.doomed():
            self.happen(e.PackageCancelled(package=name, because=above))
        for name in list(islice(self.state.ready(), self.state.room(jobs))):
            progress = self.state.packages[name]
            number = progress.attempts + 1
            for up in ordering.of(self.plan).dependencies(name):  # dependencies at their current revisions, none failed
                assert self.state.packages[up].state is PackageState.ACCEPTED
                assert self.made_in[up] == self.revision_of(up)
            assert (name, number) not in self.numbers
            self.numbers.add((name, number))
            assert (name, self.revision_of(name)) not in self.live
            self.live[name, self.revision_of(name)] = number
            self.happen(e.AttemptStarted(package=name, number=number))

    @precondition(lambda self: self.any_in(*LIVE))
    @rule(data=st.data(), code=st.sampled_from(["", "", "", Failure.VERIFICATION_FAILED, Failure.INTERRUPTED]))
    def end(self, data: st.DataObject, code: str) -> None:
        name = self.choose(data, LIVE)
        progress = self.state.packages[name]
        self.happen(
            e.AttemptEnded(package=name, number=progress.attempts, code=code, commit=f"{name}{progress.attempts}")
        )
        del self.live[name, self.revision_of(name)]
        if not code:
            commit = f"{name}{progress.attempts}"
            self.happen(e.PackageAccepted(package=name, number=progress.attempts, commit=commit))
            self.made_in[name] = self.revision_of(name)
        elif not progress.may_retry(1):
            self.happen(e.PackageFailed(package=name, code=code))

    @rule()
    def crash(self) -> None:
        """The process is killed: the next one settles what was in flight, then goes on."""
        for name in self.state.live():
            self.happen(
                e.AttemptEnded(package=name, number=self.state.packages[name].attempts, code=Failure.INTERRUPTED)
            )
        self.live.clear()
        self.happen(e.RunContinued(agent="n", jobs=3))

    @precondition(lambda self: self.any_in(PackageState.FAILED))
    @rule()
    def retry_failed(self) -> None:
        self.crash()
        failed = [name for name, one in self.state.packages.items() if one.state is PackageState.FAILED]
        self.happen(e.FailedRetried(packages=failed))

    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        self.crash()
        name = data.draw(st.sampled_from(sorted(self.state.packages)))
        self.epoch[name] += 1
        self.happen(e.PackagesRestarted(packages=[name]))

    @rule(data=st.data())
    def doubt(self, data: st.DataObject) -> None:
        """The checkout that a package was verified on was changed."""
        self.crash()
        name = data.draw(st.sampled_from(sorted(self.state.packages)))
        self.epoch[name] += 1
        self.happen(e.LayersChanged(what=["x"], packages=[name]))

    @rule(plan=plans())
    def edit(self, plan: Plan) -> None:
        self.crash()
        before = self.state.accepted()
        found = revisions.compare(self.plan, plan)
        self.plan = plan
        for one in plan.packages:
            self.epoch.setdefault(one.id, 0)
            if one.id in found.new:
                self.epoch[one.id] += 1
        above = {one.id: list(one.depends_on) for one in plan.packages}
        self.happen(
            e.PlanRevised(
                plan_blob="q", commit="k", plan_revision=self.state.plan_revision + 1, contracts_revision=1,
                packages=above, changed=list(found.changed), judged=list(found.judged),
            )
        )  # fmt: skip
        kept = {name: commit for name, commit in before.items() if name in found.kept}
        assert self.state.accepted() == kept

    @invariant()
    def where_packages_are_is_what_a_look_at_each_of_them_finds(self) -> None:
        for one in PackageState:
            found = [name for name, progress in self.state.packages.items() if progress.state is one]
            assert (self.state.at(one), self.state.count(one)) == (found, len(found))
        if self.state.run is RunState.EXECUTING and not self.state.tampering:
            assert list(self.state.ready()) == self.state.at(PackageState.QUEUED)
        assert {name for name, _ in self.state.doomed()} == self.below_a_failure()

    def below_a_failure(self) -> set[str]:
        packages, lost = self.state.packages, {PackageState.FAILED, PackageState.CANCELLED}
        waiting = [name for name in packages if packages[name].state not in (*ENDED, *LIVE)]
        above = {name: ordering.of(self.plan).dependencies(name) for name in waiting}
        return {name for name in waiting if any(packages[up].state in lost for up in above[name])}

    @invariant()
    def running_packages_never_overlap(self) -> None:
        live = [self.plan.package(name) for name in self.state.live()] if self.journal else []
        for number, one in enumerate(live):
            for other in live[number + 1 :]:
                assert intersect(one.scope.write_allow[0], other.scope.write_allow[0]) is None

    @invariant()
    def an_accepted_result_is_of_the_current_revision(self) -> None:
        for name in self.state.accepted() if self.journal else ():
            assert self.made_in[name] == self.revision_of(name)

    def teardown(self) -> None:
        """What is on disk folds to the same state; and every run that goes on ends, each package with a verdict."""
        if not getattr(self, "journal", None):
            return
        assert fold(self.journal) == self.state
        for _ in range(PATIENCE):
            self.start(jobs=2)
            if not self.state.live():
                break
            name = self.state.live()[0]
            number = self.state.packages[name].attempts
            self.happen(e.AttemptEnded(package=name, number=number, commit="c"))
            del self.live[name, self.revision_of(name)]
            self.happen(e.PackageAccepted(package=name, number=number, commit="c"))
            self.made_in[name] = self.revision_of(name)
        assert {progress.state for progress in self.state.packages.values()} <= set(ENDED)


TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
