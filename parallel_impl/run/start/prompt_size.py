"""Prompts that no program can be given as an argument (`{prompt}`), found before an agent is paid."""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl.agents import prompt
from parallel_impl.agents.command import LONGEST_WORD, Command
from parallel_impl.errors import Problem
from parallel_impl.run.attempt import prompt_context
from parallel_impl.run.attempt.job import Job
from parallel_impl.run.spec import PlanInForce, RunSpec, Workspace


def problems(spec: RunSpec, workspace: Workspace, in_force: PlanInForce) -> Iterator[Problem]:
    """An error for each agent that takes its prompt as an argument and has a package whose prompt is too long for it.

    A first prompt is looked at; that of a retry has what was found in addition.
    """
    told = set[Command]()
    for package in in_force.plan.packages:
        agent = spec.agents.get(package.id)
        if not isinstance(agent, Command) or not agent.takes_prompt or agent in told:
            continue
        text = prompt.render(prompt_context.collect(workspace, spec, Job(package, 1, in_force), spec.base))
        if not agent.can_be_given(text):
            told.add(agent)
            what = f"the prompt of {package.id} has {len(text.encode())} bytes, and one argument {LONGEST_WORD} at most"
            hint = "write {prompt_file} in the place of {prompt}, or leave it away: the prompt comes on stdin too"
            yield Problem(what, where=agent.name, hint=hint)
