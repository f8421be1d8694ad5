"""`parallel-impl doctor`: every capability that a run would use on this machine, with the line that repairs it.

What is committed decides (the agents, the remote); an agent that is not configured is looked for too. Only programs on
this machine are asked: no provider, and no forge.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

import msgspec

from parallel_impl import environment, storage
from parallel_impl.agents import kinds, readiness
from parallel_impl.agents.client import Client
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.config import Config
from parallel_impl.errors import Problem, UserError
from parallel_impl.forge.address import ForgeKind
from parallel_impl.forge.credentials import Access
from parallel_impl.gates import setup
from parallel_impl.git import home as homes
from parallel_impl.git import identity
from parallel_impl.git import repo as gits
from parallel_impl.git.repo import Repo
from parallel_impl.openspec import program
from parallel_impl.openspec.program import OpenSpecError
from parallel_impl.plan.ids import STATE
from parallel_impl.processes import cores, namespace, slot_files, slots
from parallel_impl.processes.slot_files import SlotFiles
from parallel_impl.run.claims import lock_trial
from parallel_impl.run.places import LOCKS
from parallel_impl.run.publish import destination
from parallel_impl.run.publish.destination import Destination

SAMPLE = "change"  # the worktrees of every change lie in the same place


class Health(StrEnum):
    """Whether a capability is there; LIMITED: it is not, or not whole, and a run does without."""

    OK = "ok"
    LIMITED = "limited"
    MISSING = "missing"


class Capability(msgspec.Struct, frozen=True):
    """One thing that a run uses: what was found, and what to type where it is not well. `required`: no run without."""

    name: str
    health: Health
    found: str
    repair: str = ""
    required: bool = False

    def __str__(self) -> str:
        repair = f"\n      {self.repair}" if self.repair and self.health is not Health.OK else ""
        return f"{self.health:<8}{self.name:<16}{self.found}{repair}"


class Examination(msgspec.Struct, frozen=True):
    """All capabilities of this machine, for this repository."""

    capabilities: tuple[Capability, ...]

    @property
    def can_run(self) -> bool:
        """Whether nothing is missing that no run does without."""
        return not any(one.required and one.health is Health.MISSING for one in self.capabilities)


def examine(folder: Path, inherited: Mapping[str, str]) -> Examination:
    """Ask for everything. UserError where the configuration is wrong; a folder that is in no repository is told."""
    with ThreadPoolExecutor(8, "doctor") as pool:
        openspec, contained = pool.submit(_openspec, inherited), pool.submit(_namespaces)
        git = _git()
        repo = _repository(folder) if git.health is Health.OK else None
        settings = destination.read_config(repo, folder) if repo else Config()
        agents = list(_agents(folder, settings, inherited, pool))
        found = [git, *(_of_repository(repo, folder, settings, inherited) if repo else _no_repository(folder))]
        return Examination((*found, contained.result(), _shell(inherited), *agents, openspec.result()))


def _git() -> Capability:
    wanted = ".".join(map(str, gits.MINIMUM))
    install = f"install git {wanted} or newer, e.g. apt-get install git"
    try:
        found = gits.version()
    except UserError as error:
        return Capability("git", Health.MISSING, str(error.problems[0].what), install, required=True)
    health = Health.OK if found >= gits.MINIMUM else Health.MISSING
    return Capability("git", health, ".".join(map(str, found)), install, required=True)


def _repository(folder: Path) -> Repo | None:
    try:
        return Repo.discover(folder)
    except UserError:
        return None


def _no_repository(folder: Path) -> Iterator[Capability]:
    yield Capability("repository", Health.MISSING, f"{folder} is in none", "git init", required=True)


def _of_repository(repo: Repo, folder: Path, settings: Config, inherited: Mapping[str, str]) -> Iterator[Capability]:
    named = identity.parse(settings.commit_identity)
    who = named or identity.find(repo, folder, inherited).committer
    anonymous = who == identity.OURS.committer
    repair = "git config user.name '…' && git config user.email '…'"
    yield Capability("identity", Health.LIMITED if anonymous else Health.OK, str(who), repair)
    yield _locks(repo)
    yield _disk(repo, folder, settings)
    yield _slots(settings)
    yield from _set_up(repo, folder, settings, inherited)
    yield _forge(repo, folder, inherited)


def _locks(repo: Repo) -> Capability:
    place = repo.git_dir / STATE / LOCKS
    there = place.is_dir()
    try:
        why = lock_trial.problem(place if there else repo.git_dir)
    except OSError as error:
        why = f"{repo.git_dir} cannot be written: {error.strerror}"
    health = Health.MISSING if why else Health.OK
    repair = "move the repository to a local file system; until then packages are done one at a time"
    return Capability("locks", health, why or f"hold in {repo.git_dir}", repair, required=True)


def _disk(repo: Repo, folder: Path, settings: Config) -> Capability:
    head = repo.head(folder)
    size = sum(entry.size for entry in repo.entries(head, recurse=True, sizes=True)) if head else 0
    home = homes.home(repo, SAMPLE, checkout=repo.top(folder)).path.parent
    why = homes.shortage(home, size, jobs=settings.jobs)
    megabytes = f"{size / 1e6:.0f}" if size >= 1_000_000 else "under 1"
    enough = f"room for {2 * settings.jobs + 2} checkouts of {megabytes} MB, {settings.jobs} jobs, in {home}"
    health = Health.OK if not why else Health.LIMITED if not homes.shortage(home, size, jobs=1) else Health.MISSING
    return Capability("disk", health, why or enough, "free some space, or use fewer jobs", required=True)


def _slots(settings: Config) -> Capability:
    """How many there are for the steps, gates and set-ups of this user's runs, and how many are in use now."""
    count = settings.heavy_jobs or slots.default(cores.count())
    try:
        folder = storage.state_directory() / slot_files.FOLDER
        having, waiting = SlotFiles(folder).in_use() if folder.is_dir() else (0, 0)
    except (OSError, UserError) as error:
        return Capability("slots", Health.LIMITED, f"those of other runs are not seen: {error}")
    waits = f", {waiting} more wait{'s' * (waiting == 1)}" if waiting else ""
    return Capability("slots", Health.OK, f"{having} of {count} in use by steps, gates and set-ups of all runs{waits}")


def _set_up(repo: Repo, folder: Path, settings: Config, inherited: Mapping[str, str]) -> Iterator[Capability]:
    head = repo.head(folder)
    if head is None:
        return
    found = setup.find(lambda path: repo.read(head, path)) if settings.setup is None else None
    commands = found.commands if found else settings.setup or ()
    missing = setup.missing_programs(commands, inherited) if found else []
    told = "; ".join(command.run for command in commands) or "none"
    health = Health.MISSING if missing else Health.OK
    repair = f"install {', '.join(missing)}, or write setup = [...]" if missing else ""
    yield Capability("set-up", health, told, repair, required=True)


def _forge(repo: Repo, folder: Path, inherited: Mapping[str, str]) -> Capability:
    try:
        found = Destination.find(repo, folder, inherited)
    except UserError as error:
        first = error.problems[0]
        return Capability("forge", Health.LIMITED, f"{first.what}: no pull request", first.hint)
    if found.address.kind is ForgeKind.NONE:
        what = f"{found.remote.name} is on no forge that is known: pull requests are opened by hand"
        return Capability("forge", Health.LIMITED, what, 'write forge = "github" or forge = "gitlab" if it is one')
    try:
        Access.find(found.address, inherited)
    except UserError as error:
        first = error.problems[0]
        return Capability("forge", Health.LIMITED, f"{first.what}: pull requests are opened by hand", first.hint)
    return Capability("forge", Health.OK, f"{found.address.kind} at {found.address.host}, with a token")


def _namespaces() -> Capability:
    found = namespace.find()
    if found.why:
        repair = "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), and install util-linux"
        return Capability("namespaces", Health.LIMITED, f"none for agents: {found.why}", repair)
    if found.equal_numbers:
        return Capability("namespaces", Health.LIMITED, found.equal_numbers, "use one job, or set contain = false")
    return Capability("namespaces", Health.OK, "each agent's processes end with it")


def _shell(inherited: Mapping[str, str]) -> Capability:
    bash = shutil.which("bash", path=inherited.get("PATH"))
    if bash:
        return Capability("bash", Health.OK, f"{bash}, Python {platform.python_version()}")
    return Capability("bash", Health.LIMITED, "steps run by sh, without pipefail", "e.g. apt-get install bash")


def _openspec(inherited: Mapping[str, str]) -> Capability:
    try:
        return Capability(program.PROGRAM, Health.OK, program.version(inherited))
    except OpenSpecError:
        what = "not installed: this tool's own rules check texts, and nothing is archived"
        return Capability(program.PROGRAM, Health.LIMITED, what, program.HOW_TO_INSTALL)


def _agents(
    folder: Path, settings: Config, inherited: Mapping[str, str], pool: ThreadPoolExecutor
) -> Iterator[Capability]:
    """The configured ones, and every kind that is known; one that can work is required."""
    configured = dict.fromkeys(name for name in (settings.agent, *settings.agents) if name)
    names = [*configured, *(kind for kind in DIALECTS if kind not in configured and kind not in readiness.SDKS)]
    found = list(pool.map(lambda name: _agent(name, folder, settings, inherited), names))
    yield from found
    able = [one.name.removeprefix("agent ") for one in found if one.health is Health.OK]
    if settings.agent:
        works = settings.agent in able
        told = f"{settings.agent}, as configured"
        yield Capability("an agent", Health.OK if works else Health.MISSING, told, "see above", required=True)
        return
    told = f"none is configured; able to work: {', '.join(able)}" if able else "none can work here"
    repair = next(iter(readiness.INSTALL.values()))
    yield Capability("an agent", Health.OK if able else Health.MISSING, told, repair, required=True)


def _agent(name: str, folder: Path, settings: Config, inherited: Mapping[str, str]) -> Capability:
    called = f"agent {name}"
    try:
        agent = kinds.parse(name, folder, settings.agents)
    except UserError as error:
        return _unable(called, error.problems[0])
    if not isinstance(agent, Client):
        return Capability(called, Health.OK, "can be started")
    without = readiness.key_names(settings.agents)
    env = environment.allowed(inherited, pass_env=settings.pass_env, secrets=True, without=without)
    ready, problems = readiness.make_ready(agent, inherited, env)
    if problems:
        return _unable(called, problems[0])
    return Capability(called, Health.OK, f"{ready.version or 'version not told'}, pays by {ready.account}")


def _unable(called: str, problem: Problem) -> Capability:
    return Capability(called, Health.MISSING, problem.what, problem.hint)
