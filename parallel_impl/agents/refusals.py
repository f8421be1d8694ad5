"""What providers say when they refuse, in their errors' words: a limit, a quota that is used up, a key that is wrong.

Clients pass these texts on, each in a frame of its own; the words below are the providers' (Anthropic, OpenAI, Google)
and those with which clients name a missing log-in. Only errors are read with them, never what a model says.
"""

from __future__ import annotations

import re

from parallel_impl.record.activity import Limited, cut

QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|quota exceeded|exhausted your (daily|current|monthly) quota"
    r"|credit balance is too low|billing_error|billing hard limit|usage limit|out of credits",
    re.IGNORECASE,
)
AUTH = re.compile(
    r"(?:status|error|http|code):? 401\b|authentication_(error|failed)|unauthori[sz]ed"
    r"|invalid_api_key|invalid (x-)?api[ -]key|incorrect api key|api key not valid|API_KEY_INVALID|no api key"
    r"|not logged in|please run /login|please log ?in|oauth token (has expired|revoked)"
    r"|set an auth method|no auth(entication)? (type|information)|api_key client option must be set"
    r"|environment variable: .CODEX_API_KEY",
    re.IGNORECASE,
)
LIMIT = re.compile(r"\b(429|529)\b|rate[ _-]?limit|too many requests|overloaded|RESOURCE_EXHAUSTED", re.IGNORECASE)


def refusal(text: str, *, status: int = 0) -> Limited | None:
    """The refusal in the text of an error; None when it is another error."""
    if QUOTA.search(text):
        return Limited(terminal=True, code="PROVIDER_QUOTA", why=cut(text))
    if status == 401 or (status != 429 and AUTH.search(text)):
        return Limited(terminal=True, code="PROVIDER_AUTH", why=cut(text))
    if status in (429, 529) or LIMIT.search(text):
        return Limited(terminal=False, code="PROVIDER_LIMIT", why=cut(text))
    return None
