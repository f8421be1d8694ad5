"""Older spellings of plans, and the same plan in the spelling of today.

The rewriting changes the data in place and works on plain data and on the nodes of ruamel.yaml alike, so that what is
recognised and what is rewritten cannot differ. Comments stay with the key or entry that they stood at.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]
Said = dict[str, None]  # what was rewritten, in order, each once

_TIER = re.compile(r"(?:tier[ _-]?)?([abc])", re.IGNORECASE)
_VERSIONS = frozenset({"1", "1.0", "1.0.0", "v1"})
_SHORT = 60  # characters of a command that may be the name of its step
_PACKAGE = {"id": "package_id", "dependencies": "depends_on"}
_INTO_SCOPE = {"write_allow": "write_allow", "read_allow": "read_allow", "deny": "deny", "write_deny": "deny"}
_INTO_VERIFICATION = {"tier": "tier_required", "tier_required": "tier_required", "steps": "steps"}
_VERIFICATION = {"tier": "tier_required", "checks": "steps", "commands": "steps"}
_KEYS = (
    (re.compile(r"\s*db:migration:.*", re.DOTALL), "db:migration-slot", "db:migration:… for db:migration-slot"),
    (re.compile(r"\s*db:enum:\s*"), "db:schema:", "db:enum:… for db:schema:…"),
)


def rewrite(plan: Node, change_id: str = "") -> tuple[str, ...]:
    """Put a plan into the spelling of today, in place; what was rewritten. `change_id` is for a plan that has no id."""
    said: Said = {}
    _version(plan, said)
    _feature(plan, change_id, said)
    _packages(plan, said)
    for part in (plan.get("defaults"), *_entries(plan, "packages")):
        if isinstance(part, dict):
            _priority(part, said)
            _keys(part, said)
            _verification(part, said)
            _test_command(part, said)
    return tuple(said)


def rewritten(plan: Node, change_id: str = "") -> tuple[Node, tuple[str, ...]]:
    """A copy in the spelling of today, and what is rewritten in it."""
    mine = copy.deepcopy(plan)
    return mine, rewrite(mine, change_id)


def _version(plan: Node, said: Said) -> None:
    """`schema_version`, which older plans have in other words or not at all."""
    if "schema_version" not in plan and str(plan.get("version")).lower() in _VERSIONS:
        _replace(plan, "version", "schema_version", 1)
        said["version for schema_version"] = None
    elif "schema_version" not in plan and "version" not in plan and "packages" in plan:
        _insert(plan, 0, "schema_version", 1)
        said["no schema_version"] = None
    elif not isinstance(plan.get("schema_version"), int) and str(plan.get("schema_version")).lower() in _VERSIONS:
        _replace(plan, "schema_version", "schema_version", 1)
        said["schema_version as text"] = None


def _feature(plan: Node, change_id: str, said: Said) -> None:
    name = next((name for name in ("feature_id", "change_id") if isinstance(plan.get(name), str)), "")
    if isinstance(plan.get("feature"), str):
        _wrap(plan, "feature", "feature", "id")
        said["feature as text"] = None
    elif "feature" not in plan and name:
        _wrap(plan, name, "feature", "id")
        said[f"{name} for feature.id"] = None
    elif "feature" not in plan and change_id and "packages" in plan:
        _insert(plan, 1, "feature", {"id": change_id})
        said["no feature.id"] = None
    feature = plan.get("feature")
    if not isinstance(feature, dict):
        return
    for name in ("feature_id", "change_id"):
        if name in feature and "id" not in feature:
            _replace(feature, name, "id", feature[name])
            said[f"feature.{name} for feature.id"] = None
    if isinstance(plan.get("feature_id"), str) and "change_id" not in plan:
        _replace(plan, "feature_id", "change_id", plan["feature_id"])
        said["feature_id for change_id"] = None


def _packages(plan: Node, said: Said) -> None:
    packages = plan.get("packages")
    if isinstance(packages, dict) and packages and all(isinstance(entry, dict) for entry in packages.values()):
        plan["packages"] = list(_listed(packages, "package_id", ("package_id", "id")))
        said["packages as a mapping"] = None
    for package in _entries(plan, "packages"):
        if isinstance(package, dict):
            _package(package, said)


def _package(package: Node, said: Said) -> None:
    for old, new in _PACKAGE.items():
        if old in package and new not in package:
            value = package[old]
            _replace(package, old, new, [] if value is None else [value] if _is_one_name(old, value) else value)
            said[f"{old} for {new}"] = None
    for name in ("title", "name"):
        if "description" not in package and isinstance(package.get(name), str):
            _replace(package, name, "description", package[name])
            said[f"{name} for description"] = None
    if isinstance(package.get("scope"), list):
        _wrap(package, "scope", "scope", "write_allow")
        said["scope as a list"] = None
    _sink(package, "scope", _INTO_SCOPE, said)
    scope = package.get("scope")
    if isinstance(scope, dict) and "write_deny" in scope and "deny" not in scope:
        _replace(scope, "write_deny", "deny", scope["write_deny"])
        said["scope.write_deny for scope.deny"] = None


def _is_one_name(key: str, value: Any) -> bool:
    return key == "dependencies" and isinstance(value, str)


def _priority(part: Node, said: Said) -> None:
    if part.get("priority") == 0 and isinstance(part["priority"], int) and not isinstance(part["priority"], bool):
        _replace(part, "priority", "priority", 1)
        said["priority 0 for priority 1"] = None


def _keys(part: Node, said: Said) -> None:
    keys = _entries(part.get("locks"), "keys")
    for number, key in enumerate(keys):
        for pattern, new, what in _KEYS:
            if isinstance(key, str) and (found := pattern.match(key)):
                keys[number] = new + key[found.end() :]
                said[what] = None
    for number in reversed(range(1, len(keys))):
        if keys[number] == "db:migration-slot" and keys[number] in keys[:number]:
            _drop(keys, number)


def _verification(part: Node, said: Said) -> None:
    verification = part.get("verification")
    if isinstance(verification, str) and _TIER.fullmatch(verification):
        _wrap(part, "verification", "verification", "tier_required")
        said["verification as text"] = None
    elif isinstance(verification, list):
        _wrap(part, "verification", "verification", "steps")
        said["verification as a list"] = None
    if "package_id" in part:
        _sink(part, "verification", _INTO_VERIFICATION, said)
    verification = part.get("verification")
    if not isinstance(verification, dict):
        return
    for old, new in _VERIFICATION.items():
        if old in verification and new not in verification:
            _replace(verification, old, new, verification[old])
            said[f"verification.{old} for verification.{new}"] = None
    tier = verification.get("tier_required")
    if isinstance(tier, str) and tier not in "ABC" and (found := _TIER.fullmatch(tier)):
        verification["tier_required"] = found[1].upper()
        said["tier_required in another form"] = None
    _steps(verification, said)


def _test_command(package: Node, said: Said) -> None:
    if not {"test_command", "package_id"} <= package.keys() or not isinstance(package.get("verification", {}), dict):
        return
    step = {"name": "test", "command": package["test_command"]}
    if "verification" not in package:
        _replace(package, "test_command", "verification", {"steps": [step]})
    else:
        steps = package["verification"].setdefault("steps", [])
        if not isinstance(steps, list):
            return
        token = _token(package, "test_command")
        step["name"] = _free("test", steps)
        steps.append(_with(type(package)(step), "command", token))
        del package["test_command"]
    said["test_command for a step"] = None


def _steps(verification: Node, said: Said) -> None:
    """Steps as a mapping of names to commands, or as bare commands."""
    given = verification.get("steps")
    if isinstance(given, dict) and given and all(isinstance(value, (str, dict)) for value in given.values()):
        verification["steps"] = list(_listed(given, "name", ("name",), value="command"))
        said["steps as a mapping"] = None
    elif isinstance(given, str) and given.strip():
        _wrap(verification, "steps", "steps", "")
    steps = _entries(verification, "steps")
    for number, step in enumerate(steps):
        if isinstance(step, str) and step.strip():
            name = step if len(step) <= _SHORT and "\n" not in step and "\t" not in step else f"step {number + 1}"
            new = type(verification)({"name": _free(name, steps), "command": step})
            steps[number] = _with(new, "command", _entry_token(steps, number))
            said["steps as plain text"] = None


def _free(name: str, steps: list[Any]) -> str:
    """A name for a step that no other has."""
    taken = {step.get("name") for step in steps if isinstance(step, dict)}
    names = (f"{name} ({number})" for number in range(2, len(taken) + 3))
    return next(free for free in (name, *names) if free not in taken)


def _sink(package: Node, into: str, names: dict[str, str], said: Said) -> None:
    """Fields of a package that belong into a mapping of it."""
    for old, new in names.items():
        there = package.get(into)
        if old not in package or not isinstance(package.get(into, {}), dict) or (there and new in there):
            continue
        if new == "tier_required" and not _TIER.fullmatch(str(package[old])):
            continue
        if there is None:
            _wrap(package, old, into, new)
        else:
            there[new] = package[old]
            _with(there, new, _token(package, old))
            del package[old]
        said[f"{old} for {into}.{new}"] = None


def _entries(part: Any, key: str) -> list[Any]:
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, list) else []


def _listed(mapping: Node, key: str, known: tuple[str, ...], *, value: str = "") -> Iterator[Node]:
    """The entries of a mapping as a list, each with its key under `key`; a scalar entry under `value`."""
    for name in list(mapping):
        entry, token = mapping[name], _token(mapping, name)
        if not isinstance(entry, dict):
            yield _with(type(mapping)({key: name, value: entry}), value, token)
            continue
        if not any(other in entry for other in known):
            _insert(entry, 0, key, name)
        if isinstance(token, list):
            token = None  # the entry has them too, above its first key
        elif comments := getattr(entry, "ca", None):
            comments.comment = None  # the same token
        yield _with(entry, next(iter(entry)), token)


def _wrap(node: Node, old: str, new: str, inner: str) -> None:
    """Put the value of `old` into a mapping under `inner` (a list where that is empty), and that under `new`."""
    token, value = _token(node, old), node[old]
    wrapped = _with(type(node)({inner: value}), inner, token) if inner else [value]
    _replace(node, old, new, wrapped)


def _replace(node: Node, old: str, new: str, value: Any) -> None:
    """Rename a key, and give it a value, at its place."""
    rows = [(new, value) if key == old else (key, node[key]) for key in node]
    _refill(node, rows, {old: new})


def _insert(node: Node, place: int, key: str, value: Any) -> None:
    rows = list(node.items())
    _refill(node, [*rows[:place], (key, value), *rows[place:]], {})


def _refill(node: Node, rows: list[tuple[str, Any]], renamed: dict[str, str]) -> None:
    comments = getattr(node, "ca", None)
    kept = {renamed.get(key, key): token for key, token in comments.items.items()} if comments else {}
    for key in list(node):
        del node[key]
    for key, value in rows:
        node[key] = value
    if comments:
        comments.items.clear()
        comments.items.update(kept)


def _token(node: Any, key: str) -> Any:
    """The comment behind a key or its value, taken from a mapping of ruamel.yaml; None where there is none.

    One token; a list of them where it stands on the lines between a key and the mapping or list below it.
    """
    comments = getattr(node, "ca", None)
    found = comments.items.pop(key, None) if comments else None
    return next((token for token in found[2:] if token), None) if found else None


def _entry_token(entries: Any, number: int) -> Any:
    comments = getattr(entries, "ca", None)
    found = comments.items.pop(number, None) if comments else None
    return next((token for token in found if token), None) if found else None


def _with(node: Node, key: str, token: Any) -> Node:
    """`node` with a comment behind the value of `key`."""
    if token is not None and (comments := getattr(node, "ca", None)) is not None:
        comments.items[key] = [None, None, None, token] if isinstance(token, list) else [None, None, token, None]
    return node


def _drop(entries: list[Any], number: int) -> None:
    """Remove an entry; its comment goes to the one before."""
    token = _entry_token(entries, number)
    del entries[number]
    if token is not None:
        comments = entries.ca.items  # type: ignore[attr-defined]
        before = comments.get(number - 1)
        if before and before[0]:
            before[0].value += token.value
        else:
            comments[number - 1] = [token, None]
