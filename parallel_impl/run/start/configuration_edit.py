"""The configuration of a stopped run, edited in a commit: gates and limits are taken from there, the rest stays.

What is compared is what the files mean, never their bytes. Gates and limits say what is asked of the work and for how
long; what the work was made with (set-up, environment, agents) is the base's.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from parallel_impl import config
from parallel_impl.config import Config
from parallel_impl.errors import Problem, Severity
from parallel_impl.git.repo import Repo
from parallel_impl.record.state import State

REVISABLE = ("gates", "setup_minutes", "base_minutes", "provider_wait_minutes", "limits")
NAMED = ("source", *REVISABLE)


@dataclass(frozen=True, slots=True)
class ConfigurationEdit:
    """The configuration now, and how it stands to the one that the run has so far.

    `values` are those of the base with the revised ones of `commit`; `keys` are those that differ from what the run
    has, `ignored` those that differ and stay as they are in the base.
    """

    values: Config
    commit: str = ""
    keys: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What the revised values mean, in short."""
        return digest(self.values)


def find(repo: Repo, state: State, base: str, current: str) -> ConfigurationEdit:
    """The configuration of `base`, with what `current` revises; `current` is "" before the run has started.

    A commit without any configuration revises nothing: it is of another branch. UserError when it cannot be read.
    """
    original = _read(repo, base)
    revised = state.configured
    so_far = _with(original, _read(repo, revised.commit)) if revised and repo.resolve(revised.commit) else original
    now = _read(repo, current) if current else so_far
    if not now.source:
        now = so_far
    values = _with(original, now)
    if not current or (revised and revised.digest == digest(values)):
        return ConfigurationEdit(values, current)
    names = [field.name for field in dataclasses.fields(Config) if field.name not in NAMED]
    ignored = tuple(name for name in names if getattr(now, name) != getattr(original, name))
    return ConfigurationEdit(values, current, tuple(_differ(so_far, values)), ignored)


def problems(edit: ConfigurationEdit, change_id: str) -> Iterator[Problem]:
    """What of the edit is used, and what is not."""
    if edit.keys:
        what = f"the configuration was edited since this run started: {', '.join(edit.keys)} as in {edit.commit[:12]}"
        yield Problem(what, severity=Severity.NOTICE)
    if edit.ignored:
        yield Problem(
            f"not as in the base, and so not used: {', '.join(edit.ignored)}",
            where=edit.values.source,
            hint=f"a run keeps them; to use them: parallel-implement {change_id} --abort",
            severity=Severity.WARNING,
        )


def digest(values: Config) -> str:
    """What of a configuration can be revised, as one word."""
    parts = {name: getattr(values, name) for name in REVISABLE}
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _read(repo: Repo, commit: str) -> Config:
    return config.read(repo.read(commit, config.FILE), repo.read(commit, "pyproject.toml"))


def _with(original: Config, revised: Config) -> Config:
    return replace(original, **{name: getattr(revised, name) for name in REVISABLE})


def _differ(before: Config, now: Config) -> Iterator[str]:
    for name in REVISABLE:
        if name == "gates":
            names = dict.fromkeys((*before.gates, *now.gates))
            yield from (f"gates.{one}" for one in names if before.gates.get(one) != now.gates.get(one))
        elif getattr(before, name) != getattr(now, name):
            yield name
