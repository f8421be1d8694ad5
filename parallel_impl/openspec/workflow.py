"""OpenSpec's workflow with our two artifacts: a schema forked by its CLI, with `contracts` and `work-packages` added.

So `openspec status` knows whether they are written, and `openspec instructions work-packages` tells an agent how.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

SOURCE, NAME = "spec-driven", "parallel-packages"
DESCRIPTION = "proposal -> specs -> design -> tasks -> contracts -> work-packages, done by one agent per package"
CONTRACTS = """\
Write down what the packages of this change share, before they are done side by side: one file per interface in
contracts/, and contracts/README.md that says which file is what and who provides and who uses it.

- HTTP: OpenAPI (contracts/openapi.yaml). Data and events: JSON Schema (contracts/*.schema.json). Tables: SQL
  (contracts/*.sql). gRPC: protobuf (contracts/*.proto). Anything else: Markdown with names, types and errors.
- Only what two packages have to agree on; a change without an interface between its packages has a README.md that
  says so in one line.
"""
PACKAGES = """\
Cut the tasks of tasks.md into packages that agents can do at the same time, and write work-packages.yaml.

- A package is work of one agent in one worktree: `package_id` (wp-…), `title`, `description`, `tasks` (the numbers of
  its boxes or sections in tasks.md: a box that no package names is never ticked), `depends_on`.
- `scope.write_allow` lists every path that it may change: files, folders (`src/store/**`), globs. Packages that do not
  depend on each other must not share a path. What several need to change is a package of its own that the others
  depend on, or that depends on all of them.
- `locks.keys` name what is shared and is no path: `db:schema:orders`, `api:GET /orders`, `flag:new-checkout`.
- `verification.steps` are the commands that prove it, run by parallel-implement in a fresh checkout; give each at least
  one, such as the tests of what it changes.
- `contracts` lists the files of contracts/. `feature.id` is the id of this change.

Check it: parallel-impl validate <change-id>. It says what overlaps and what to write instead.
"""
CONTRACTS_TEMPLATE = """\
# Contracts

| file | what it is | provided by | used by |
|---|---|---|---|
"""
PACKAGES_TEMPLATE = """\
schema_version: 1

feature:
  id: <change-id>
  title: <what the change does>

packages:
  - package_id: wp-<name>
    title: <what it does>
    description: <what the agent has to do, beside its tasks>
    tasks: ["1.1", "1.2"]
    depends_on: []
    scope:
      write_allow:
        - <path or glob>
    verification:
      steps:
        - name: unit tests
          kind: command
          command: <the command that proves it>
"""
TEMPLATES: Mapping[str, str] = {"contracts.md": CONTRACTS_TEMPLATE, "work-packages.yaml": PACKAGES_TEMPLATE}
_SCHEMA_LINE = re.compile(r"^schema:[^\n]*$", re.MULTILINE)


def with_packages(schema: str) -> str:
    """The text of a `schema.yaml` with our artifacts, required before the change is applied; comments stay.

    ValueError where it is no schema that OpenSpec would take.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415  (100 ms, and only this needs it)
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    from ruamel.yaml.scalarstring import LiteralScalarString  # noqa: PLC0415

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 16
    yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        data: Any = yaml.load(schema)
        known = {one["id"] for one in data["artifacts"]}
        data.setdefault("apply", {}).setdefault("requires", [])
    except YAMLError as error:
        raise ValueError(f"it cannot be read as YAML: {str(error).splitlines()[0]}") from None
    except (KeyError, TypeError, AttributeError):
        raise ValueError("it has no list of artifacts, each with an id") from None
    for artifact in _artifacts():
        if artifact["id"] not in known:
            text = LiteralScalarString(artifact["instruction"])
            data["artifacts"].append({**artifact, "instruction": text})
    if data.get("name") == NAME and NAME not in str(data.get("description", "")):
        data["description"] = DESCRIPTION
    required = data["apply"]["requires"]
    if "work-packages" not in required:
        required.append("work-packages")
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def with_schema(text: str, name: str = NAME) -> str:
    """A `config.yaml` or `.openspec.yaml` that names the schema; every other line stays."""
    line = f"schema: {name}"
    if _SCHEMA_LINE.search(text):
        return _SCHEMA_LINE.sub(line, text, count=1)
    return f"{line}\n{text}"


def _artifacts() -> list[dict[str, Any]]:
    return [
        {
            "id": "contracts",
            "generates": "contracts/README.md",
            "description": "The interfaces that packages share",
            "template": "contracts.md",
            "instruction": CONTRACTS,
            "requires": ["specs", "design"],
        },
        {
            "id": "work-packages",
            "generates": "work-packages.yaml",
            "description": "The plan: packages that agents can do at the same time",
            "template": "work-packages.yaml",
            "instruction": PACKAGES,
            "requires": ["tasks", "contracts"],
        },
    ]
