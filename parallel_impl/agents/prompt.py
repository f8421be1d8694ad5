"""The prompt file: one package's slice of the change, as Markdown that any agent can follow.

`render` is pure. What is too long is cut, and the prompt says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from parallel_impl.errors import printable
from parallel_impl.plan.ids import PLAN_FILE
from parallel_impl.plan.model import Package, StepKind
from parallel_impl.text import first_names

LONGEST = 60_000  # characters of one document; the whole file is in the worktree
MOVES = (
    "- Move a folder that was here when you started with `mv`: rename(2) of it, and so `git mv` and os.rename, fails",
    "  (`Invalid cross-device link`).",
)
REPORT = (
    "- What a person should know goes, as JSON, to the file that $PARALLEL_IMPL_REPORT_FILE names; leave out what is",
    '  empty: {"schema_version": 1, "notes": ["…"], "deviations": [{"what": "…", "why": "…", "path": "…"}],',
    '  "help": [{"summary": "…", "severity": "…", "details": "…", "proposed_action": "…", "requires_human": true}],',
    '  "scope_requests": [{"path": "…", "why": "…"}]}. What you see outside your scope is a note, not an edit.',
)


@dataclass(frozen=True, slots=True)
class Context:
    """What an agent is told. Documents map a path in the worktree to its text.

    `gates` are the repository's (name, command), where they verify the package in the place of steps. `red_before` are
    steps that fail without the package's work, by name, and how. `renames`: a folder that was there can be renamed by
    rename(2).
    """

    package: Package
    change_id: str
    proposal: str = ""
    design: str = ""
    implementation_plan: str = ""
    tasks: str = ""
    specs: Mapping[str, str] = field(default_factory=dict)
    contracts: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    standards: Mapping[str, str] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)
    previous: str = ""
    denied: tuple[str, ...] = ()
    ports: int = 0
    continues: bool = False
    folder: str = ""
    gates: tuple[tuple[str, str], ...] = ()
    red_before: Mapping[str, str] = field(default_factory=dict)
    renames: bool = True


def render(context: Context) -> str:
    """The whole prompt."""
    package = context.package
    parts = [
        f"# Work package {package.id} of the change {context.change_id}",
        package.title,
        package.description,
        _previous(context),
        _scope(package),
        _reading(package),
        _gates(context.gates) or _verification(package, context.red_before),
        _rules(context),
        _dependencies(context),
        _document("Tasks of this package", context.tasks),
        _document("Proposal", context.proposal),
        _document("Design", context.design),
        _document("Implementation plan of the whole change", context.implementation_plan),
        *(_document(f"Spec delta {path}", text) for path, text in context.specs.items()),
        *(_document(f"Contract {path}", text) for path, text in context.contracts.items()),
        _document("Inputs and outputs that the plan names", package.inputs),
        *(_document(f"Standard that all packages follow: {path}", text) for path, text in context.standards.items()),
        *(_document(f"The plan says to read {path}", text) for path, text in context.reading.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_message(context: Context) -> str:
    """What a conversation that goes on is told: the evidence; it knows the rest."""
    parts = [
        f"# Your work on {context.package.id} was looked at and is not accepted yet",
        "It is in the current folder as you left it, but for files that the repository ignores. What was found:",
        _evidence(context),
        _denied(context),
        "Fix it. Scope and rules are the same as before: "
        "end with exit code 0 when the work is done, with another one when it cannot be done.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _scope(package: Package) -> str:
    lines = ["## What you may change", "", *_bullets(package.scope.write_allow)]
    if package.scope.deny:
        but = "Not these, nor anything below them, even where a line above covers it:"
        lines += ["", but, "", *_bullets(package.scope.deny)]
    whole = "**" in package.scope.write_allow
    any_other = "A file of these" if whole else "Any other file"
    others = "" if whole else ": other agents work on the rest"
    lines += [
        "",
        f"{any_other} that you change, add, delete or rename makes this attempt fail{others}.",
        "`**` stands for any folders; `*` and `?` stop at `/`; a plain folder covers everything below it.",
    ]
    return "\n".join(lines)


def _reading(package: Package) -> str:
    """What the plan lets the package read, where that is less than everything."""
    if "**" in package.scope.read_allow:
        return ""
    lines = [
        "## What you should read",
        "",
        *_bullets(package.scope.read_allow),
        "",
        "The plan says that your task needs nothing else. Nothing stops you from reading other files, but do not build",
        "on them: other packages may change them at the same time.",
    ]
    return "\n".join(lines)


def _verification(package: Package, red_before: Mapping[str, str]) -> str:
    steps = [step for step in package.steps if step.kind is StepKind.COMMAND]
    if not steps:
        return "## How your work is verified\n\nThe plan declares no step that we run. Check your own work."
    lines = ["## How your work is verified", "", "These run in this order, in a fresh checkout of your work:", ""]
    for step in steps:
        command = step.command if isinstance(step.command, str) else " ".join(step.command)
        place = f" in `{step.cwd}`" if step.cwd != "." else ""
        expected = f", expected exit code {step.expect_exit_code}" if step.expect_exit_code else ""
        lines.append(f"- {step.name}{place}{expected}:\n\n      " + command.strip().replace("\n", "\n      "))
        lines += [f"  - must leave {artifact}" for artifact in step.artifacts]
        if step.name in red_before:
            lines.append(f"  - red before you: {printable(red_before[step.name])}")
    return "\n".join(lines)


def _gates(gates: Iterable[tuple[str, str]]) -> str:
    """The gates that verify a package; "" where there are none."""
    listed = [f"- {name}:\n\n      " + command.strip().replace("\n", "\n      ") for name, command in gates]
    if not listed:
        return ""
    told = (
        "The checks of the repository run in a fresh checkout of your work, and in one of the state before it. What\n"
        "fails now and did not fail before is yours to repair; no test of before may be gone:"
    )
    return "\n".join(["## How your work is verified", "", told, "", *listed])


def _rules(context: Context) -> str:
    return "\n".join(
        [
            "## Rules",
            "",
            "- Work in the current folder only. Commit or not, as you like: what lies here when you end is taken, and",
            "  nothing else: no stash entry, and no branch that you have left.",
            "- Pushing is switched off, and no branch but your own matters.",
            f"- Leave `{context.folder}/tasks.md` and `{context.folder}/{PLAN_FILE}` alone.",
            "- Files that the repository ignores are not taken.",
            *(() if context.renames else MOVES),
            *_resources(context),
            "- End with exit code 0 when the work is done, with another one when it cannot be done.",
            "- To report result keys, write a JSON object to the file that $PARALLEL_IMPL_RESULT_FILE names.",
            *REPORT,
        ]
    )


def _resources(context: Context) -> list[str]:
    """What an agent should use where it could meet other agents outside of its folder."""
    lines = [
        "- A database, containers or the like of your own get the name in $PARALLEL_IMPL_NAME: others work beside you."
    ]
    if context.ports:
        lines.append("- Servers listen on the ports in $PARALLEL_IMPL_PORTS only (the first is $PARALLEL_IMPL_PORT).")
    return lines


def _dependencies(context: Context) -> str:
    if not context.dependencies:
        return ""
    lines = ["## What this builds on", "", "These packages are done, and their work is in your worktree:"]
    for name, files in context.dependencies.items():
        shown = first_names([f"`{printable(path)}`" for path in files], 20)
        lines.append(f"\n- {name}: {shown or 'no changes'}")
    return "\n".join(lines)


def _previous(context: Context) -> str:
    if not context.previous:
        return ""
    where = "Its work is in your worktree: fix it." if context.continues else "Its work was put aside: start again."
    found = f"## The attempt before this one failed\n\n{where} What was found:\n\n{_evidence(context)}"
    return "\n\n".join(filter(None, (found, _denied(context))))


def _evidence(context: Context) -> str:
    return "\n".join(f"    {line}" for line in context.previous.splitlines())


def _denied(context: Context) -> str:
    """Tools that it was not allowed to use: it should not try them again."""
    if not context.denied:
        return ""
    return "\n".join(["These tool calls were refused; do without them:", "", *_bullets(map(printable, context.denied))])


def _document(title: str, text: str) -> str:
    if not text.strip():
        return ""
    cut = f"\n\n[cut after {LONGEST} of {len(text)} characters; read the file]" if len(text) > LONGEST else ""
    return printable(f"## {title}\n\n{text[:LONGEST].strip()}{cut}")


def _bullets(items: Iterable[str]) -> list[str]:
    return [f"- `{item}`" for item in items]
