"""The child process that lets openapi-spec-validator and jsonschema look at contracts. A script of its own.

Started by `plan.contract_process` as `python -I contract_validator.py <fd> <seconds> <megabytes> <kind>…`; it
imports nothing of this package. It reads jobs from the descriptor, a line `<kind> <bytes> <seconds>` and that many
bytes of JSON, and writes one JSON line for each: `{"errors": [{"place": […], "rule": …, "names": […]}]}` or
`{"broken": …}`. After its seconds (the first job's include start-up) SIGALRM ends the process, also inside a
regular expression. An audit hook refuses sockets, other programs, and files outside the Python installation.
"""

# ruff: noqa: PLC0415  (each kind of check imports what it needs: 150 or 500 ms)

from __future__ import annotations

import functools
import gc
import json
import math
import os
import resource
import signal
import sys
import typing
import warnings
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import Any

Check = Callable[[Any], list[dict[str, Any]]]

MAX_ERRORS = 20
RECURSION = 4_000  # one level of a schema takes about eight frames
REFUSED = ("socket.", "subprocess.", "urllib.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "ftplib.", "http.")


def main(descriptor: int, seconds: float, megabytes: int, kinds: Collection[str]) -> None:
    """Do every job, in order. `kinds` of all jobs: everything is imported before the guard goes up."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    limit(seconds, megabytes)
    speed_up()
    try:
        check = {kind: openapi_check() if kind == "openapi" else schema_check() for kind in kinds}
    except ImportError:
        check = {}
    guard()
    with os.fdopen(descriptor, "rb") as jobs:
        first = True
        while header := jobs.readline().decode().split():
            kind, content = header[0], jobs.read(int(header[1]))
            if not first:  # the first job's time has begun with the process
                limit(float(header[2]), megabytes)
            first = False
            answer(verdict(check[kind], content) if kind in check else {"broken": "import"})


def verdict(check: Check, content: bytes) -> dict[str, Any]:
    """What a check says of one document, or the name of what it broke with."""
    try:
        return {"errors": check(document(content))}
    except MemoryError:
        return {"broken": "memory"}
    except Exception as error:  # foreign code: KeyError and RecursionError were seen
        return {"broken": type(error).__name__}


def speed_up() -> None:
    sys.setrecursionlimit(RECURSION)
    gc.disable()  # short-lived, and limited in memory anyway
    if hasattr(typing, "_get_protocol_attrs"):  # a third of the library's time before Python 3.12, which caches it
        typing._get_protocol_attrs = functools.lru_cache(typing._get_protocol_attrs)


def document(content: bytes) -> Any:
    """The JSON in `content`, with equal objects made one: what was found clean once is not looked at again."""
    known: dict[Any, dict[str, Any]] = {}

    def key(value: Any) -> Any:
        if isinstance(value, list):
            return ("[", *map(key, value))
        return id(value) if isinstance(value, dict) else (type(value), value)

    def share(value: dict[str, Any]) -> dict[str, Any]:
        return known.setdefault(tuple((name, key(inner)) for name, inner in value.items()), value)

    return json.loads(content, object_hook=share)


def answer(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def limit(seconds: float, megabytes: int) -> None:
    """Give the next job its time (wall and CPU); the memory limit is for all of them."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    used = resource.getrusage(resource.RUSAGE_SELF)
    lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds) + 1)
    lower(resource.RLIMIT_AS, megabytes * 2**20)
    lower(resource.RLIMIT_FSIZE, 0)
    lower(resource.RLIMIT_CORE, 0)


def lower(kind: int, value: int) -> None:
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if most == resource.RLIM_INFINITY else min(value, most), most))


def guard() -> None:
    """From now on this process opens nothing but its own installation's files. Hooks cannot be removed."""
    own = tuple({os.path.realpath(path) + os.sep for path in (sys.prefix, sys.base_prefix, *sys.path) if path})

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(REFUSED):
            raise PermissionError(event)
        opened = os.fsdecode(arguments[0]) if event == "open" and isinstance(arguments[0], (str, bytes)) else ""
        if opened and not os.path.realpath(opened).startswith(own):
            raise PermissionError(event)

    sys.addaudithook(hook)


def openapi_check() -> Check:
    """A check of one OpenAPI document of any version, with validators made ready for many."""
    from jsonschema.validators import extend, validator_for
    from jsonschema_path import SchemaPath
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
    from openapi_spec_validator.shortcuts import SPEC2VALIDATOR, get_validator_cls
    from openapi_spec_validator.validation import keywords

    bundled: set[int] = set()

    class Ids(list):  # type: ignore[type-arg]
        """The library asks `in` of a list of every schema that it has seen."""

        def __init__(self) -> None:
            super().__init__()
            self.set: set[int] = set()

        def append(self, item: int) -> None:
            self.set.add(item)

        def __contains__(self, item: object) -> bool:
            return item in self.set

    def schema_validator(known: type[Any]) -> type[Any]:
        """The library's validator of schemas, which says where, and does not walk in rings or twice."""

        class Schema(known):  # type: ignore[misc]
            def __init__(self, registry: Any) -> None:
                super().__init__(registry)
                self.visited_schema_ids, self.meta_checked_schema_ids = Ids(), Ids()

            def _collect_properties(self, schema: Any) -> set[str]:
                found, seen, todo = set[str](), set[int](), [schema]
                while todo:
                    here = todo.pop()
                    if id(here.read_value()) in seen:  # a ring, or a ladder: the library's recursion has no end there
                        continue
                    seen.add(id(here.read_value()))
                    found.update((here / "properties").keys() if "properties" in here else ())
                    todo += [part for name in ("allOf", "anyOf", "oneOf") if name in here for part in here / name]
                    todo += [here / name for name in ("items", "not") if name in here]
                return found

            def __call__(
                self, schema: Any, require_properties: bool = True, meta_checked: bool = False
            ) -> Iterator[Any]:
                # the library takes what a reference leads to for checked with the schema that holds the reference
                checked = meta_checked and id(schema.read_value()) not in bundled
                for error in super().__call__(schema, require_properties, checked):
                    if not hasattr(error, "prefix"):
                        error.prefix = tuple(schema.parts)
                    yield error

        return Schema

    def value_validator(known: type[Any]) -> type[Any]:
        """The library's validator of defaults, whose errors compare two values of the document itself."""

        class Value(known):  # type: ignore[misc]
            def __call__(self, schema: Any, value: Any) -> Iterator[Any]:
                for error in super().__call__(schema, value):
                    error.prefix, error.own = (*schema.parts, "default"), True
                    yield error

        return Value

    class Operation(keywords.OperationValidator):
        """Says which operation."""

        def __call__(self, url: str, name: str, *args: Any) -> Iterator[Any]:
            for error in super().__call__(url, name, *args):
                if not hasattr(error, "prefix"):
                    error.prefix = ("paths", url, name)  # type: ignore[attr-defined]
                yield error

    def version(known: type[Any]) -> type[Any]:
        library = known.keyword_validators
        own = {"schema": schema_validator(library["schema"]), "default": value_validator(library["default"])}
        changed: dict[str, Any] = {"keyword_validators": {**library, **own, "operation": Operation}}
        schema = dict(known.schema_validator.schema)
        if "$id" in schema:
            # uncrawled, the registry is searched anew for each dynamic reference: 14 s instead of 4 for 300 paths
            resources = REGISTRY.with_contents([(schema["$id"], schema)]).crawl()
            dialect = validator_for(schema)
            quick = {name: remembering(dialect.VALIDATORS[name]) for name in ("$ref", "$dynamicRef")}
            changed["schema_validator"] = extend(dialect, quick)(schema, registry=resources)  # type: ignore[no-untyped-call]
        return type(known.__name__, (known,), changed)

    # all of them now: the library reads its own schemas when they are first used, by URL, which the guard refuses
    ready = {known: version(known) for known in SPEC2VALIDATOR.values()}

    def check(document: Any) -> list[dict[str, Any]]:
        bundled.clear()
        bundled.update(id(part) for name in document if name.startswith("x-bundled") for part in inside(document[name]))
        path = SchemaPath.from_dict(document, handlers={}, resolved_cache_maxsize=10_000)
        validator = ready[get_validator_cls(document)](path)
        # not iter_errors(): it makes new errors of these two and drops what was added to them
        return said(chain(validator.schema_validator.iter_errors(document), validator.root_validator(path)))

    return check


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in `value`, itself included."""
    todo = [value]
    while todo:
        if isinstance(here := todo.pop(), dict):
            yield here
        todo += here.values() if isinstance(here, dict) else here if isinstance(here, list) else ()


def remembering(keyword: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """`keyword` of jsonschema, which skips what it found clean: a pair of one reference and one object."""
    clean: set[tuple[int, int]] = set()

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        pair = (id(schema), id(instance))
        if pair in clean:
            return
        failed = False
        for error in keyword(validator, value, instance, schema):
            failed = True
            yield error
        if not failed and isinstance(instance, dict):
            clean.add(pair)

    return check


def schema_check() -> Check:
    """A check of one JSON Schema against the metaschema that it names (2020-12 when it names none that is known)."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    def check(document: Any) -> list[dict[str, Any]]:
        dialect = validator_for(document, default=Draft202012Validator)
        return said(dialect(dialect.META_SCHEMA).iter_errors(document))

    return check


def said(errors: Iterator[Any]) -> list[dict[str, Any]]:
    """The first errors as rule, pointer, and names that come from the rule or are keys; never a value."""
    found = []
    for outer in errors:
        prefix, error = getattr(outer, "prefix", ()), outer
        while error.context:  # of alternatives, the one that came furthest
            error = max(error.context, key=lambda inner: (len(inner.absolute_path), inner.validator != "type"))
        place = [*map(str, prefix), *map(str, error.absolute_path)]
        rule = error.validator if isinstance(error.validator, str) else type(error).__name__
        own = getattr(outer, "own", False)
        answered = {
            "place": place,
            "rule": f"default: {rule}" if own else rule,
            "names": [] if own else names(error, rule),
        }
        if answered not in found:
            found.append(answered)
        if len(found) >= MAX_ERRORS:
            break
    return found


def names(error: Any, rule: str) -> list[str]:
    value, instance = error.validator_value, error.instance
    if rule == "required" and isinstance(value, list) and isinstance(instance, dict):
        return [name for name in value if name not in instance][:5]
    if rule in ("additionalProperties", "unevaluatedProperties") and isinstance(instance, dict):
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        return [name for name in instance if name not in known and not name.startswith("x-")][:5]
    if rule == "type":
        return [str(one) for one in (value if isinstance(value, list) else [value])]
    if rule == "enum" and isinstance(value, list):
        return [str(one) for one in value][:12]
    return []


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the library's own deprecations are no news for a user
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
