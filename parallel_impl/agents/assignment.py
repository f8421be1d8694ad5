"""Which agent does which package: `--agent` for all, else the first rule of `assign` that matches, else `agent`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from parallel_impl.agents import kinds
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.client import Client
from parallel_impl.agents.kinds import Origin
from parallel_impl.config import FILE, Config, Rule
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan.model import Package
from parallel_impl.text import did_you_mean

OF_PACKAGES = ("role", "archetype", "task_type")  # what a package may say about itself


def assign(packages: Sequence[Package], config: Config, spec: str, folder: Path, *, for_all: bool) -> dict[str, Agent]:
    """The agent of each package. `spec` names the usual one, found from `folder`; `for_all`: no rule is looked at.

    UserError with all that is wrong; also when a package has none ("" and no rule).
    """
    found, wrong = dict[str, Agent](), list[Problem]()
    for package in packages:
        number = None if for_all else next((n for n, one in enumerate(config.assign) if matches(one, package)), None)
        if not spec and (number is None or not config.assign[number].agent):
            what = "no agent" if not config.assign else f"no agent for {package.id}"
            wrong.append(Problem(what, "--agent", hint=how_to_choose(config)))
            break
        try:
            found[package.id] = _choose(spec, folder, config, number, typed=for_all)
        except UserError as error:
            wrong += [problem for problem in error.problems if problem not in wrong]
    if wrong:
        raise UserError(wrong)
    return found


def matches(rule: Rule, package: Package) -> bool:
    """Whether all globs of the rule match; a package that does not say its role matches no rule about roles."""
    asked = (
        (rule.package, package.id),
        (rule.role, package.role),
        (rule.archetype, package.archetype),
        (rule.task_type, package.task_type),
    )
    return all(not glob or (bool(value) and fnmatchcase(value, glob)) for glob, value in asked)


def how_to_choose(config: Config) -> str:
    """What to type, or to write, where no agent is chosen."""
    return f'give --agent claude, or write agent = "claude" in {config.source or FILE}'


def problems(config: Config, packages: Sequence[Package]) -> Iterator[Problem]:
    """What is wrong with the rules, whether they match or not: agents that are not there, globs that match nothing."""
    for number, rule in enumerate(config.assign):
        if wrong := kinds.unknown(rule.agent, config.agents) if rule.agent else None:
            yield from Origin(config.source, f"assign[{number}].agent").problems([wrong])
        elif kinds.is_line(rule.agent) and (rule.model or rule.effort):
            yield from _no_settings(config, number, rule.agent)
        if idle := _idle(rule, packages):
            key, what, hint = idle
            where = f"assign[{number}]{key}"
            yield Problem(f"{where}: {what}", config.source, hint=hint, severity=Severity.WARNING)


def _idle(rule: Rule, packages: Sequence[Package]) -> tuple[str, str, str] | None:
    """Why a rule matches no package, as key, words and hint; None when it matches one."""
    if any(matches(rule, package) for package in packages):
        return None
    for key, glob in (("package", rule.package), *((key, getattr(rule, key)) for key in OF_PACKAGES)):
        values = [package.id if key == "package" else getattr(package, key) for package in packages]
        known = sorted({value for value in values if value})
        if glob and not any(fnmatchcase(value, glob) for value in known):
            what = f"no package is named {glob!r}" if key == "package" else f"no package has the {key} {glob!r}"
            hint = did_you_mean(glob, known) or (f"known: {', '.join(known[:10])}" if known else f"none has a {key}")
            return f".{key}", what, hint
    return "", "no package matches all of it", "a package must match every glob of the rule"


def _choose(spec: str, folder: Path, config: Config, number: int | None, *, typed: bool) -> Agent:
    """The agent of a package that the rule with this number matches, if any; `spec` is the usual one."""
    rule = Rule() if number is None else config.assign[number]
    origin = kinds.TYPED if typed else Origin(config.source, f"assign[{number}].agent" if rule.agent else "agent")
    agent = kinds.parse(rule.agent or spec, folder, config.agents, origin=origin)
    if not (rule.model or rule.effort) or number is None:
        return agent
    if not isinstance(agent, Client):
        raise UserError(_no_settings(config, number, rule.agent or spec))
    settings = agent.settings
    chosen = replace(settings, model=rule.model or settings.model, effort=rule.effort or settings.effort)
    return replace(agent, settings=chosen)


def _no_settings(config: Config, number: int, spec: str) -> list[Problem]:
    chosen = [name for name in ("model", "effort") if getattr(config.assign[number], name)]
    what = f"assign[{number}]: {spec!r} has no model and no effort to choose"
    return [Problem(what, config.source, hint=f"leave {' and '.join(chosen)} away there")]
