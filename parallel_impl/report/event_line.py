"""The line that describes an event to people."""

from __future__ import annotations

from parallel_impl.errors import count
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure, costs_retry, describe_halt
from parallel_impl.record.events import Event
from parallel_impl.report.picture import named
from parallel_impl.text import until


def describe(event: Event) -> str:
    """One line for people; "" for an event that has nothing new for them."""
    match event:
        case e.PackageAccepted():
            return f"{event.package}  accepted, {event.commit[:12]}"
        case e.PackageFailed():
            return f"{event.package}  FAILED: {event.code}: no attempt is left"
        case e.PackageCancelled():
            return f"{event.package}  cancelled: {event.because} was not accepted"
        case e.Noted():
            return f"{event.package}  note: {event.text}" if event.package else f"note: {event.text}"
        case e.LayersChanged():
            return f"verified again: {', '.join(event.packages) or 'nothing'}: {'; '.join(event.what)}"
        case e.RepositoryChanged() if event.checkouts:
            return f"your checkouts are not as they were: {'; '.join(event.what)}"
        case e.RepositoryChanged():
            what = "the folders around the checkouts" if event.around else "the repository"
            return f"{what} changed while {', '.join(event.running) or 'nothing'} ran: {'; '.join(event.what)}"
        case _:
            told = _describe_start(event) or _describe_attempt(event) or _describe_check(event) or _describe_end(event)
            return told or _describe_publication(event)


def _describe_start(event: Event) -> str:
    match event:
        case e.RunStarted():
            packages = count(len(event.packages), "package")
            return f"run of {packages} on {event.base[:12]} ({event.base_from}), {event.jobs} at once"
        case e.RunContinued():
            return f"the run goes on, {event.jobs} at once"
        case e.FailedRetried():
            return f"tried again: {', '.join(event.packages)}"
        case e.PackagesRestarted():
            return f"done again: {', '.join(event.packages)}"
        case e.PlanRevised():
            return f"plan revision {event.plan_revision}, of {event.commit[:12]}"
        case e.GateAccepted():
            kinds = ", ".join(f"{kind} ({', '.join(ids)})" if ids else kind for kind, ids in event.kinds.items())
            return f"accepted by name: {event.gate}: {kinds}"
        case e.BranchMoveAccepted():
            return f"with the branch as it is: {event.commit[:12] or 'gone'}"
        case e.ConfigurationRevised():
            return f"configuration of {event.commit[:12]}: {', '.join(event.keys)}"
        case _:
            return ""


def _describe_attempt(event: Event) -> str:
    match event:
        case e.AttemptStarted() if event.judges:
            return f"{event.package}  what attempt {event.judges} did is judged again, without an agent"
        case e.AttemptStarted():
            again = f" (attempt {event.number})" if event.number > 1 else ""
            return f"{event.package}  started{again}"
        case e.AttemptVerifying():
            return f"{event.package}  its agent is done; what it changed is checked"
        case e.AttemptEnded() if event.code == Failure.INTERRUPTED:
            return f"{event.package}  attempt {event.number} interrupted, which costs no retry: {event.why}"
        case e.AttemptEnded() if event.code and not costs_retry(event.code):
            return f"{event.package}  attempt {event.number} refused, which costs no retry: {event.code}: {event.why}"
        case e.AttemptEnded() if event.code:
            return f"{event.package}  attempt {event.number} failed: {event.code}: {event.why}"
        case _:
            return ""


def _describe_check(event: Event) -> str:
    """Set-ups and gates of the base and the whole; of packages only the steps, whose set-ups are many."""
    match event:
        case e.SetupStarted() if event.on:
            return f"set-up of the {named(event.on)} runs"
        case e.SetupEnded() if event.on:
            loaded = " (red under load)" * event.red_under_load
            return f"set-up of the {named(event.on)} {'FAILED' if event.why else 'done'}{loaded}"
        case e.SlotAwaited() if event.on and event.package:
            return f"step {event.what} of {event.package} on the {named(event.on)} waits for a free slot"
        case e.SlotAwaited() if event.on:
            set_up = event.what == "set-up"
            what = f"set-up of the {named(event.on)}" if set_up else f"gate {event.what} on the {named(event.on)}"
            return f"{what} waits for a free slot"
        case e.SlotAwaited() if event.package:
            return f"{event.package}  {event.what} waits for a free slot"
        case e.StepStarted() if not event.on:
            return f"{event.package}  step {event.step}" + (f" ({event.place} of {event.steps})" * (event.steps > 1))
        case e.GateStarted():
            return f"gate {event.gate} runs on the {named(event.on)}"
        case e.GateEnded() if event.on == "base":
            return f"gate {event.gate} on the base: {event.state}{': ' if event.found else ''}{event.found}"
        case _:
            return ""


def _describe_end(event: Event) -> str:
    match event:
        case e.CandidateMade():
            return f"all accepted work is in one tree, {event.commit[:12]}"
        case e.GatesEnded():
            verdicts = ", ".join(f"{gate} {verdict}" for gate, verdict in event.verdicts.items()) or "no gates"
            return f"gates on the {named(event.on)}: {verdicts}"
        case e.CandidateProven() if event.by == ():
            return f"no gate ran on the whole, {event.commit[:12]}"
        case e.CandidateProven():
            return f"proven: {event.commit[:12]}"
        case e.Landed():
            return f"landed: {event.branch} is {event.commit[:12]}"
        case e.RunHalted():
            return f"not landed: {describe_halt(event.code)}"  # the last lines say why
        case e.RunAborted():
            return "aborted"
        case e.ProviderLimited():
            return f"{event.provider} refuses{until(event.until)}: {event.code}: {event.why}"
        case e.RunPaused():
            return f"paused by {event.by}{until(event.until)}: what is at work finishes"
        case e.RunResumed():
            return f"goes on after {event.by} had paused it"
        case e.Interrupted():
            return f"interrupted by {event.by}"
        case _:
            return ""


def _describe_publication(event: Event) -> str:
    match event:
        case e.BranchPushed():
            return f"pushed: {event.branch} is {event.commit[:12]} on {event.remote}"
        case e.PullRequestOpened():
            return f"{'draft ' if event.draft else ''}pull request: {event.url}"
        case e.ChecksAnswered():
            return f"checks of {event.commit[:12]}: {event.verdict}"
        case e.Merged():
            return f"merged: {event.url}"
        case _:
            return ""
