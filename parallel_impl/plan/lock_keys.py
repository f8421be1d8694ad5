"""Lock keys: names of things that are not files and that two packages must not change at once.

A key is `namespace:name`; a last segment `*` means everything below the name, and not the name itself. A namespace that
is not known here is as good as any other: such a key is compared as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from parallel_impl.plan.globs.git_folder import is_in_git_folder, without_stream
from parallel_impl.plan.globs.globs import fold
from parallel_impl.text import nearest, shorten

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_API = re.compile(r"([A-Za-z]+)(?:\s+|(?=/))(\S+)")
_IN_BRACES = re.compile(r"\{[^{}/]*\}")  # OpenAPI
_PARAMETER = re.compile(r"/(?::[^/]+|<[^<>/]*>|\[[^][/]*\])(?=/|$)")  # Express, Flask, Next.js
_EVENT = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_FLAG = re.compile(r"[a-z0-9_.-]+(/[a-z0-9_.-]+)*(/\*)?")
_ENV = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FEATURE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)(:[a-z0-9_.-]+)?")
_SCHEMA = re.compile(r"[a-z0-9_]+")
_BELOW = ("/*", ":*", ".*")  # known namespaces have the first only
_MISTYPED = ("event", "flag", "contract", "feature")  # one edit from a shorter one is a word of its own: app, ai


class LockKeyError(ValueError):
    """A key without a canonical form: `what` is wrong, `hint` names what to write."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def canonical(key: str) -> str:
    """The one form in which `key` is compared and claimed; LockKeyError where it has none."""
    text = key.strip()
    if not text.isprintable():
        raise LockKeyError("a lock key is one line of printable text", "delete the control characters")
    namespace, colon, name = text.partition(":")
    if not colon or not namespace.strip():
        raise LockKeyError(f"{_short(text)} has no namespace", _without_namespace(text.lstrip(": ")))
    if read := _NAMESPACES.get(namespace.strip()):
        return f"{namespace.strip()}:{read(name.strip())}"
    if near := _meant(namespace.strip()):
        raise LockKeyError(
            f"unknown namespace {_short(namespace)}: in {_short(text)}",
            f"did you mean {_repaired(near, name.strip())}?",
        )
    if not name.strip():
        raise LockKeyError(f"{_short(text)} names nothing", f"write e.g. {_slug(namespace)}:part")
    return text


def foreign(key: str) -> str:
    """The namespace of a canonical key that is compared as written; empty for one that has rules here."""
    namespace = key.partition(":")[0]
    return "" if namespace in _NAMESPACES else namespace


def is_key(text: str) -> bool:
    """Whether `text` begins with the namespace of a lock key; a path with such a beginning is not one."""
    namespace, colon, _ = text.partition(":")
    return bool(colon) and namespace.strip().lower() in _NAMESPACES


def overlap(first: str, second: str) -> bool:
    """Whether two canonical keys name something in common."""
    return contains(first, second) or contains(second, first)


def compared(key: str) -> str:
    """What tells one canonical key from another: paths of contracts as those of scopes, endpoints as routers do.

    The names of an endpoint's parameters and a slash at its end do not count.
    """
    if key.startswith("contract:"):
        return fold(key)
    if key.startswith("api:"):
        method, blank, path = key.partition(" ")
        return f"{method}{blank}{_PARAMETER.sub('/{}', _IN_BRACES.sub('{}', path)).removesuffix('/') or '/'}"
    return key


def contains(outer: str, inner: str) -> bool:
    """Whether the canonical key `outer` names everything that `inner` names."""
    outer, inner = compared(outer), compared(inner)
    if outer == inner:
        return True
    below = outer[:-1]
    return outer.endswith(_BELOW) and inner.startswith(below) and len(inner) > len(below)


def claim_order(files: Iterable[str], keys: Iterable[str]) -> list[str]:
    """All claims, each once, in the one order in which every run takes them (by code point)."""
    return sorted({*files, *keys})


def _api(name: str) -> str:
    found = _API.fullmatch(name)
    method = found[1].upper() if found else ""
    if not found or method not in _METHODS:
        word, *rest = name.split() or [""]
        path = next((part for part in rest if part.startswith("/")), f"/v1/{_slug(word) or 'users'}")
        example = f"api:{nearest(word.upper(), _METHODS) or 'GET'} {path}"
        raise LockKeyError(
            f"api:{_short(name)} is not a method and a path",
            f"write the method, one blank, the path: {example}; "
            f"for what is no endpoint write e.g. feature:api:{_slug(name).lower() or 'part'}",
        )
    path = found[2].lower()
    return f"{method} {_wildcard('api', path if path.startswith('/') else f'/{path}')}"


def _db(name: str) -> str:
    if name.lower() == "migration-slot":
        return "migration-slot"
    schema, colon, table = name.lower().partition(":")
    if schema.strip() == "schema" and colon and _SCHEMA.fullmatch(table.strip()):
        return f"schema:{table.strip()}"
    table = re.sub(r"[^a-z0-9_]+", "_", name.lower().rpartition(":")[2]).strip("_")
    hint = "db:migration-slot" if nearest(name.lower(), ["migration-slot"]) else f"db:schema:{table or '<table>'}"
    raise LockKeyError(
        f"db:{_short(name)} is not a db key", f"write {hint} (letters, digits and _; or db:migration-slot)"
    )


def _event(name: str) -> str:
    if _EVENT.fullmatch(name.lower()):
        return name.lower()
    words = ".".join(re.findall(r"[a-z0-9_-]+", name.lower()))
    raise LockKeyError(f"event:{_short(name)} is not words joined by dots", f"write event:{words or 'user.created'}")


def _flag(name: str) -> str:
    if _FLAG.fullmatch(name.lower()):
        return name.lower()
    _wildcard("flag", name)
    raise LockKeyError(
        f"flag:{_short(name)} is not the name of a flag", f"write flag:{_slug(name) or 'billing'} or flag:billing/*"
    )


def _env(name: str) -> str:
    if _ENV.fullmatch(name):
        return name
    raise LockKeyError(f"env:{_short(name)} is not a name", f"write env:{_slug(name) or 'test-database'}")


def _contract(name: str) -> str:
    parts = name.split("/")
    if is_in_git_folder(name):
        raise LockKeyError(f"contract:{_short(name)} is no contract, but a part of a .git folder", "delete the key")
    if (plain := "/".join(map(without_stream, parts))) != name:
        raise LockKeyError(f"contract:{_short(name)} is a stream of a file (NTFS)", f"write contract:{plain}")
    if name and "\\" not in name and not {"", ".", ".."} & set(parts):
        return _wildcard("contract", name)
    path = "/".join(part for part in parts if part not in ("", ".", ".."))
    raise LockKeyError(f"contract:{_short(name)} is not a path", f"write contract:{path or 'openapi/v1.yaml'}")


def _feature(name: str) -> str:
    feature, colon, purpose = name.partition(":")
    text = f"{feature.strip()}{colon}{purpose.strip().lower()}"
    if _FEATURE.fullmatch(text):
        return text
    wanted = ":".join(part for part in (_slug(feature), _slug(purpose)) if part)
    raise LockKeyError(
        f"feature:{_short(name)} is not an id, or id:purpose", f"write feature:{wanted or 'add-login:api'}"
    )


def _meant(namespace: str) -> str:
    """The known namespace that `namespace` is a slip for (its case, an `s`, one edit of a long one); or empty."""
    word = namespace.lower()
    for known in _NAMESPACES:
        if word in (known, f"{known}s") or (known in _MISTYPED and _is_one_edit(word, known)):
            return known
    return ""


def _is_one_edit(first: str, second: str) -> bool:
    """Whether one letter added, left out, changed or swapped with the next makes one word of the other."""
    if abs(len(first) - len(second)) > 1:
        return False
    shorter, longer = sorted((first, second), key=len)
    start = next((n for n, (one, other) in enumerate(zip(shorter, longer, strict=False)) if one != other), len(shorter))
    if len(shorter) < len(longer):
        return shorter[start:] == longer[start + 1 :]
    swapped = shorter[start : start + 2] == longer[start : start + 2][::-1]
    return shorter[start + 1 :] == longer[start + 1 :] or (swapped and shorter[start + 2 :] == longer[start + 2 :])


def _repaired(namespace: str, name: str) -> str:
    """The key that was meant, where its name has a canonical form; else its namespace."""
    try:
        return f"{namespace}:{_NAMESPACES[namespace](name)}"
    except LockKeyError:
        return f"{namespace}:"


def _wildcard(namespace: str, path: str) -> str:
    """`path`, where `*` is at most its last segment."""
    if "*" in path.removesuffix("/*"):
        hint = f"write {namespace}:…/* for everything below, or name each one"
        raise LockKeyError(f"{namespace}:{_short(path)}: * may only be the last segment", hint)
    return path


def _without_namespace(text: str) -> str:
    if "/" in text or "." in text:
        return "a path belongs under locks.files; a key is e.g. contract:openapi/v1.yaml"
    return (
        f"write e.g. feature:<id>:{_slug(text) or 'purpose'}, or one of {', '.join(f'{name}:' for name in _NAMESPACES)}"
    )


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text[:100]).strip("-")


def _short(text: str) -> str:
    return shorten(text, 80)


_NAMESPACES: dict[str, Callable[[str], str]] = {
    "api": _api, "db": _db, "event": _event, "flag": _flag, "env": _env, "contract": _contract, "feature": _feature,
}  # fmt: skip
