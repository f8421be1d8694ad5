"""The lines that tell people what an agent does: the same for every kind of agent."""

from __future__ import annotations

import time

from parallel_impl.errors import count
from parallel_impl.record import activity as a
from parallel_impl.record.activity import Activity, Usage
from parallel_impl.text import until

INDENT = " " * 10  # below the time of the first line


def describe(happened: Activity) -> str:
    """Lines for people, the first with its local time; "" for an activity that says nothing new to them."""
    text = _describe(happened)
    if not text:
        return ""
    at = time.strftime("%H:%M:%S", time.localtime(happened.at)) if happened.at else " " * 8
    return f"{at}  " + text.strip("\n").replace("\n", f"\n{INDENT}")


def _describe(happened: Activity) -> str:
    match happened:
        case a.Opened():
            return f"session {happened.session or '(without a name)'}, model {happened.model or 'not reported'}"
        case a.Said():
            return happened.text
        case a.Called():
            return f"> {happened.tool} {happened.target}".rstrip()
        case a.Answered() if not happened.ok:
            return f"  failed: {happened.text or 'no reason reported'}"
        case a.Changed():
            return f"  changed {', '.join(happened.paths)}"
        case a.Denied():
            return f"  DENIED {happened.tool} {happened.target}".rstrip() + (
                f": {happened.why}" if happened.why else ""
            )
        case a.AgentNote():
            return f"{happened.heading}: {happened.text}"
        case _:
            return _describe_provider(happened)


def _describe_provider(happened: Activity) -> str:
    match happened:
        case a.Retrying():
            status = str(happened.status) if happened.status else "no answer"
            wait = "" if happened.wait is None else f", waits {happened.wait:g} s"
            return f"retries after {status}{wait}" + (f": {happened.why}" if happened.why else "")
        case a.Limited():
            return f"{happened.code}{until(happened.until)}: {happened.why}"
        case a.Used():
            return f"used {usage(happened.usage)}" + (" in all" if happened.whole else "")
        case a.Complained():
            return f"stderr: {happened.text}"
        case a.Concluded():
            return ("done" if happened.ok else "FAILED") + (f": {happened.why}" if happened.why else "")
        case _:
            return ""


def usage(used: Usage) -> str:
    """What was used, in words; what the client does not report is no 0."""
    tokens = {"in": used.input, "out": used.output, "from cache": used.cache_read, "to cache": used.cache_write}
    told = [f"{number} {name}" for name, number in tokens.items() if number is not None]
    words = [f"{' '.join(told)} tokens"] if len(told) == 1 else [f"{', '.join(told)} (tokens)"] if told else []
    words += [] if used.turns is None else [count(used.turns, "turn")]
    words += [] if used.dollars is None else [f"${used.dollars:.4f}"]
    return ", ".join(words) or "not reported"
