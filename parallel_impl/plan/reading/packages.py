"""One work package, from plain data, with the defaults of the plan filled in."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from parallel_impl.errors import Severity
from parallel_impl.plan import ids, lock_keys
from parallel_impl.plan.model import Locks, Package, Scope, YamlPath
from parallel_impl.plan.reading import fields, steps
from parallel_impl.plan.reading.fields import Reading
from parallel_impl.text import did_you_mean, shorten_line

_NOT_ACTED_ON = (
    "agent_hint", "decomposition", "stack_position", "metadata", "context_impact", "min_trust_level",
)  # fmt: skip
_DECIMAL = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_BUILT_IN = Package("", "", Scope(()))  # the defaults of a plan that gives none


def read(reading: Reading, raw: dict[str, Any], path: YamlPath, defaults: Package) -> Package:
    """The package at `path`, with `defaults` for what it does not give; problems go into `reading`.

    The packages that the default `depends_on` names do not wait for each other.
    """
    _note(reading, raw)
    package = _filled(reading, raw, path, defaults)
    if "depends_on" not in raw and package.id in package.depends_on:
        package = replace(package, depends_on=())
    _check_reasons(reading, package, (*path, "reasons"))
    return replace(package, steps=steps.timed(package.steps, package.timeout_minutes))


def read_defaults(reading: Reading, raw: dict[str, Any]) -> Package:
    """The plan's `defaults`, as a package without what only packages have; its steps have no time limit yet."""
    reading.note(raw, "defaults.", ("lock_ttl_minutes", "min_trust_level"))
    return _filled(
        reading, raw, ("defaults",), replace(_BUILT_IN, tier_required=fields.text(raw, "verification_tier_required"))
    )


def _filled(reading: Reading, raw: dict[str, Any], path: YamlPath, defaults: Package) -> Package:
    outputs, verification = fields.mapping(raw, "outputs"), fields.mapping(raw, "verification")
    verified_at = (*path, "verification")
    return Package(
        id=_id(reading, raw, path),
        description=fields.text(raw, "description"),
        title=fields.text(raw, "title") or fields.text(raw, "name"),
        task_type=fields.text(raw, "task_type"),
        role=fields.text(raw, "role"),
        archetype=fields.text(raw, "archetype"),
        tasks=tuple(str(task) for task in fields.entries(raw, "tasks")),
        inputs=_inputs(fields.mapping(raw, "inputs"), outputs),
        depends_on=fields.texts(raw, "depends_on") if "depends_on" in raw else defaults.depends_on,
        priority=fields.number(raw, "priority", defaults.priority),
        timeout_minutes=fields.number(raw, "timeout_minutes", defaults.timeout_minutes),
        retry_budget=fields.number(raw, "retry_budget", defaults.retry_budget),
        scope=_scope(reading, fields.mapping(raw, "scope"), (*path, "scope"), defaults.scope),
        locks=_locks(reading, fields.mapping(raw, "locks"), (*path, "locks"), defaults.locks),
        tier_required=fields.text(verification, "tier_required", defaults.tier_required),
        steps=steps.read(reading, verification, verified_at) if "steps" in verification else defaults.steps,
        output_keys=fields.texts(outputs, "result_keys"),
        output_artifacts=reading.patterns(outputs, "artifacts", (*path, "outputs")),
        may_be_empty=raw.get("may_be_empty") is True,
        creates=reading.paths(raw, "creates", path),
        reasons=_pairs(raw.get("reasons")),
        weight=_weight(raw.get("weight")),
        evidence=_pairs(raw.get("evidence")),
        foundation=raw.get("foundation") is True,
    )


def _id(reading: Reading, raw: dict[str, Any], path: YamlPath) -> str:
    package_id = fields.text(raw, "package_id", fields.text(raw, "id"))  # the schema reports id as misspelt
    if package_id in ids.RESERVED and (wrong := ids.problem(package_id, package=True)):  # the schema reports others
        reading.error((*path, "package_id"), wrong.what, wrong.hint)
    return package_id


def _scope(reading: Reading, raw: dict[str, Any], path: YamlPath, defaults: Scope) -> Scope:
    return Scope(
        write_allow=reading.patterns(raw, "write_allow", path),
        read_allow=reading.patterns(raw, "read_allow", path) or defaults.read_allow,
        deny=reading.patterns(raw, "deny", path) if "deny" in raw else defaults.deny,
    )


def _locks(reading: Reading, raw: dict[str, Any], path: YamlPath, defaults: Locks) -> Locks:
    return Locks(
        files=reading.patterns(raw, "files", path) if "files" in raw else defaults.files,
        keys=_keys(reading, raw, path) if "keys" in raw else defaults.keys,
    )


def _keys(reading: Reading, raw: dict[str, Any], path: YamlPath) -> tuple[str, ...]:
    keys = []
    for number, key in enumerate(fields.entries(raw, "keys")):
        if not isinstance(key, str) or not key:
            continue
        here = (*path, "keys", number)
        try:
            canonical = lock_keys.canonical(key)
        except lock_keys.LockKeyError as error:
            reading.error(here, error.what, error.hint)
            continue
        if namespace := lock_keys.foreign(canonical):
            reading.foreign_keys.setdefault(namespace, here)
        if canonical != key:
            what = f"lock key {key!r} is read as {canonical!r}"
            reading.report(here, what, f"write {json.dumps(canonical)}", Severity.NOTICE)
        keys.append(canonical)
    return tuple(dict.fromkeys(keys))


def _inputs(inputs: dict[str, Any], outputs: dict[str, Any]) -> str:
    """Both as YAML for the prompt, one field a line."""
    lines = []
    for title, part in (("inputs", inputs), ("outputs", outputs)):
        if part:
            lines.append(f"{title}:")
            lines += [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in part.items()]
    return "\n".join(lines)


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """A mapping of texts as pairs; a list of texts as pairs without the first."""
    rows = (
        value.items() if isinstance(value, dict) else [("", text) for text in value] if isinstance(value, list) else ()
    )
    return tuple((name, text) for name, text in rows if isinstance(text, str))


def _weight(value: Any) -> float:
    """A number above 0: the reader gives whole ones as numbers, decimals as text."""
    return float(value) if isinstance(value, int) or (isinstance(value, str) and _DECIMAL.fullmatch(value)) else 1.0


def _check_reasons(reading: Reading, package: Package, path: YamlPath) -> None:
    for name, _ in package.reasons:
        if name not in package.depends_on:
            what = f"{package.id} gives a reason to depend on {shorten_line(name, 64)}, and does not depend on it"
            hint = did_you_mean(name, package.depends_on) or "delete it, or add the package to depends_on"
            reading.error((*path, name), what, hint, key=True)


def _note(reading: Reading, raw: dict[str, Any]) -> None:
    reading.note(raw, "", _NOT_ACTED_ON)
    reading.note(raw.get("outputs"), "outputs.", ("artifacts",))
    reading.note(raw.get("locks"), "locks.", ("ttl_minutes", "reason"))
    reading.note(raw.get("worktree"), "worktree.", ("name", "mode"))
