"""The configuration of a stopped run, edited in a commit: how work is made and judged is taken from there.

What is compared is what the files mean, never their bytes. What is in commits already (who commits) and what all
packages were told stays the base's. What is published is no part of the run: it is read where that is done.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from parallel_impl import config
from parallel_impl.config import Config
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.git.repo import Repo
from parallel_impl.record.events import ConfigurationRevised
from parallel_impl.record.state import State

FIRST = ("gates", "setup_minutes", "base_minutes", "provider_wait_minutes", "limits")  # once, no others could be
SECOND = (
    *FIRST, "setup", "caches", "pass_env", "silence_minutes", "max_blob_mb", "openapi_seconds", "contain", "jobs",
    "heavy_jobs", "agent", "agents", "assign",
)  # fmt: skip
REVISABLE = (*SECOND, "setup_inputs", "setup_fresh", "setup_keep", "checkouts", "layers_gb")
PUBLISHING = ("pr", "forge", "remote", "pr_base", "reviewers", "labels")
NAMED = ("source", *REVISABLE, *PUBLISHING)


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
    def event(self) -> ConfigurationRevised | None:
        """That these keys were revised; None where none was. What depends on that is yet to be found."""
        if not self.keys:
            return None
        return ConfigurationRevised(commit=self.commit, digest=digest(self.values), keys=list(self.keys))


def find(repo: Repo, state: State, base: str, current: str) -> ConfigurationEdit:
    """The configuration of `base`, with what `current` revises; `current` is "" before the run has started.

    A commit without any configuration revises nothing: it is of another branch. So does one whose history had it so
    when it parted from what the run has. UserError when it cannot be read.
    """
    original = _read(repo, base)
    so_far = _so_far(repo, state, original)
    now = _read(repo, current) if current else so_far
    known = state.configured.commit if state.configured else base
    if not now.source or (_differs(so_far, now) and _is_older(repo, now, current, known)):
        return ConfigurationEdit(so_far, current)
    values = _with(original, now)
    if not current or (state.configured and state.configured.digest == digest(values)):
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


def digest(values: Config, keys: Iterable[str] = REVISABLE) -> str:
    """What of a configuration can be revised, as one word."""
    parts = {name: getattr(values, name) for name in keys}
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def _read(repo: Repo, commit: str) -> Config:
    return config.read(repo.read(commit, config.FILE), repo.read(commit, "pyproject.toml"))


def _so_far(repo: Repo, state: State, original: Config) -> Config:
    """What the run has: the base's, with what was revised. An earlier version had revised no more than it knew to."""
    revised = state.configured
    if revised is None or repo.resolve(revised.commit) is None:
        return original
    now = _read(repo, revised.commit)
    known = (keys for keys in (REVISABLE, SECOND) if digest(_with(original, now, keys), keys) == revised.digest)
    return _with(original, now, next(known, FIRST))


def _is_older(repo: Repo, now: Config, current: str, known: str) -> bool:
    """Whether `current`, which has `now`, had that when it parted from the commit that the run has its values from."""
    for commit in set(repo.merge_bases(current, known)) - {known}:
        try:
            if not _differs(now, _read(repo, commit)):
                return True
        except UserError:
            continue
    return False


def _differs(one: Config, other: Config) -> bool:
    return replace(one, source="") != replace(other, source="")


def _with(original: Config, revised: Config, keys: Iterable[str] = REVISABLE) -> Config:
    return replace(original, **{name: getattr(revised, name) for name in keys})


def _differ(before: Config, now: Config) -> Iterator[str]:
    for name in REVISABLE:
        one, other = getattr(before, name), getattr(now, name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names = dict.fromkeys((*one, *other))
            yield from (f"{name}.{each}" for each in names if one.get(each) != other.get(each))
        elif one != other:
            yield name
