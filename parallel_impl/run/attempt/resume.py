"""Whether a retry goes on with the client's own conversation, which knows what it did, or begins a fresh one."""

from __future__ import annotations

from parallel_impl.agents import prompt
from parallel_impl.agents.agent import Resume
from parallel_impl.agents.client import Client
from parallel_impl.agents.prompt import Context
from parallel_impl.run.attempt.job import Attempt
from parallel_impl.storage import write_atomically


def find(attempt: Attempt, context: Context) -> Resume | None:
    """The conversation of the attempt before, with the evidence as its next message; None for a fresh one.

    It needs the same agent, model and HOME, and work that is in the worktree again. Why it is fresh is noted where a
    conversation was there.
    """
    previous = attempt.job.previous
    if previous is None or not previous.session or not previous.start:
        return None
    if why := _obstacle(attempt):
        attempt.note(f"attempt {attempt.job.number} begins a fresh conversation: {why}")
        return None
    write_atomically(attempt.files.message, prompt.render_message(context).encode())
    return Resume(previous.session, attempt.files.message, previous.spent)


def _obstacle(attempt: Attempt) -> str:
    """Why the conversation cannot go on; "" when it can."""
    agent, previous = attempt.agent, attempt.job.previous
    if previous is None or not isinstance(agent, Client):
        return "another agent does it now"
    if previous.agent != agent.name:
        return f"{previous.agent} did the attempt before"
    if previous.session.startswith("-"):
        return "its name would be an option of the client"
    if not agent.dialect.resumes:
        return f"{agent.name} cannot go on with one"
    if previous.model != agent.settings.model:
        return f"its model was {previous.model or 'the usual one'}"
    if previous.private_home != bool(agent.account.key):
        return "the agent works in another HOME now"
    if agent.account.key and not attempt.workspace.places.client_home(attempt.package.id).is_dir():
        return "its HOME is gone"
    return ""
