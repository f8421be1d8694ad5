"""One work package, from plain data, with the defaults of the plan filled in."""

from __future__ import annotations

import json
from typing import Any

from parallel_impl.errors import Severity
from parallel_impl.plan import ids, lock_keys
from parallel_impl.plan.model import Locks, Package, Scope, YamlPath
from parallel_impl.plan.reading import fields, steps
from parallel_impl.plan.reading.fields import Reading

_NOT_ACTED_ON = (
    "role", "archetype", "agent_hint", "decomposition", "stack_position", "metadata", "context_impact",
    "min_trust_level",
)  # fmt: skip


def read(reading: Reading, raw: dict[str, Any], path: YamlPath, defaults: dict[str, Any]) -> Package:
    """The package at `path`; what is wrong with it goes into `reading`."""
    _note(reading, raw)
    scope, outputs = fields.mapping(raw, "scope"), fields.mapping(raw, "outputs")
    verification = fields.mapping(raw, "verification")
    timeout_minutes = fields.number(raw, "timeout_minutes", fields.number(defaults, "timeout_minutes", 60))
    return Package(
        id=_id(reading, raw, path),
        description=fields.text(raw, "description"),
        title=fields.text(raw, "title") or fields.text(raw, "name"),
        task_type=fields.text(raw, "task_type"),
        tasks=tuple(str(task) for task in fields.entries(raw, "tasks")),
        inputs=_inputs(fields.mapping(raw, "inputs"), outputs),
        depends_on=fields.texts(raw, "depends_on"),
        priority=fields.number(raw, "priority", fields.number(defaults, "priority", 5)),
        timeout_minutes=timeout_minutes,
        retry_budget=fields.number(raw, "retry_budget", fields.number(defaults, "retry_budget", 1)),
        scope=Scope(
            write_allow=reading.patterns(scope, "write_allow", (*path, "scope")),
            read_allow=reading.patterns(scope, "read_allow", (*path, "scope")) or ("**",),
            deny=reading.patterns(scope, "deny", (*path, "scope")),
        ),
        locks=_locks(reading, fields.mapping(raw, "locks"), (*path, "locks")),
        tier_required=fields.text(verification, "tier_required", fields.text(defaults, "verification_tier_required")),
        steps=steps.read(reading, verification, (*path, "verification"), timeout_minutes),
        output_keys=fields.texts(outputs, "result_keys"),
        output_artifacts=reading.patterns(outputs, "artifacts", (*path, "outputs")),
    )


def _id(reading: Reading, raw: dict[str, Any], path: YamlPath) -> str:
    package_id = fields.text(raw, "package_id", fields.text(raw, "id"))  # the schema says that id is misspelt
    if package_id in ids.RESERVED and (wrong := ids.problem(package_id, package=True)):  # the schema says the rest
        reading.error((*path, "package_id"), *wrong)
    return package_id


def _locks(reading: Reading, raw: dict[str, Any], path: YamlPath) -> Locks:
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
        if canonical != key:
            what = f"lock key {key!r} is read as {canonical!r}"
            reading.say(here, what, f"write {json.dumps(canonical)}", Severity.NOTICE)
        keys.append(canonical)
    return Locks(files=reading.patterns(raw, "files", path), keys=tuple(dict.fromkeys(keys)))


def _inputs(inputs: dict[str, Any], outputs: dict[str, Any]) -> str:
    """Both as YAML, one field a line, for the prompt."""
    lines = []
    for title, part in (("inputs", inputs), ("outputs", outputs)):
        if part:
            lines.append(f"{title}:")
            lines += [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in part.items()]
    return "\n".join(lines)


def _note(reading: Reading, raw: dict[str, Any]) -> None:
    reading.note(raw, "", _NOT_ACTED_ON)
    reading.note(raw.get("locks"), "locks.", ("ttl_minutes", "reason"))
    reading.note(raw.get("worktree"), "worktree.", ("name", "mode"))
