"""Nesting that libyaml refuses before a reader's own limit is reached.

Since 0.2.6 (PyYAML 6.0.4) it stops at 1,000 levels. Its scanner runs ahead of its events, through any number of opening
brackets, so that this can come before the event that a reader would have refused: the message names the reader's limit.
"""

from __future__ import annotations

import yaml


def is_too_deep(error: yaml.MarkedYAMLError) -> bool:
    """Whether libyaml gave up for depth ("exceeded maximum nesting depth"); its errors differ in their words only."""
    return "nesting depth" in (error.problem or "")
