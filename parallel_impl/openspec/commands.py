"""The commands that a coding agent's user types, `/parallel-implement <change-id>` and `/parallel-cleanup <change-id>`.

They lie where OpenSpec writes its own: commands of Claude Code and OpenCode, and skills that Codex reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

CLAUDE, OPENCODE, SKILLS = ".claude", ".opencode", ".agents"
FOLDERS = (CLAUDE, OPENCODE, SKILLS)


@dataclass(frozen=True, slots=True)
class AgentCommand:
    """A command by its name: what it is for in one line, and what the agent is to do; `{id}` is the argument."""

    name: str
    purpose: str
    text: str


IMPLEMENT = AgentCommand(
    "parallel-implement",
    "Implement the work packages of an approved OpenSpec change in parallel, and land only what is proven",
    """\
Implement the OpenSpec change `{id}` with parallel-implement. You start it and report; the work is done by one agent per
work package, each in a worktree of its own. Do not edit files of the change yourself meanwhile.

1. Without a change-id: list the changes (`openspec list --json`) and ask which one.
2. `parallel-impl validate {id}`. Where it objects, show what it says, and correct the plan only when the user agrees.
   Commit it: a run reads what is committed.
3. `parallel-implement {id}`. It takes minutes to hours: run it in the background, its output into a file, and look at
   `parallel-impl status {id}` now and then. If it is interrupted, the same command goes on.
4. Exit code 0: landed on the branch `openspec/{id}`. 1: not everything landed, nothing is lost. 2: the input or the
   repository is not usable, its message says what to do. 130: interrupted.
5. Report from the summary that it names (`summary.md`): what landed, what was proven and what not, what a person has to
   check, which tasks are open. Do not merge and do not push, unless the user asks for it.
""",
)
CLEANUP = AgentCommand(
    "parallel-cleanup",
    "Clean up after a change that parallel-implement landed, and archive it once it is merged",
    """\
Clean up after the OpenSpec change `{id}`.

1. `parallel-cleanup {id} --dry-run`, and show what it would remove, keep and archive.
2. `parallel-cleanup {id}`. What is contained in no branch is kept: never give `--force` unless the user asks for it.
3. Where it archived the change, show the line that merges or publishes `archive/{id}`. Open tasks are refused: show
   them and ask before you give `--with-open-tasks`.
""",
)
ALL = (IMPLEMENT, CLEANUP)


def files(folders: Collection[str]) -> Iterator[tuple[str, str]]:
    """Path and content of each command, for the agents whose folders these are."""
    for command in ALL:
        typed = command.text.replace("{id}", "$ARGUMENTS")
        hint = "argument-hint: <change-id>\n"
        if CLAUDE in folders:
            yield f"{CLAUDE}/commands/{command.name}.md", f"---\ndescription: {command.purpose}\n{hint}---\n\n{typed}"
        if OPENCODE in folders:
            yield f"{OPENCODE}/commands/{command.name}.md", f"---\ndescription: {command.purpose}\n---\n\n{typed}"
        if SKILLS in folders:
            named = command.text.replace("{id}", "<change-id>")
            head = f"name: {command.name}\ndescription: {command.purpose}. Use it when the user says {command.name}."
            yield f"{SKILLS}/skills/{command.name}/SKILL.md", f"---\n{head}\n---\n\n{named}"
