"""How many tests passed, by what their runner prints at its end: all that is known of a gate that nobody else reads."""

from __future__ import annotations

import re

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NONE = re.compile(
    r"^(no tests ran in .*|no tests? (files )?found, exiting with code 0|Ran 0 tests in .*)$", re.I | re.M
)
PASSED = (
    re.compile(r"^(?:=+ )?(?:\d+ [a-z]+, )*?(\d+) passed(?:, \d+ [a-z]+)* in [\d.:]+ ?s?", re.M),  # pytest
    re.compile(r"^Tests:\s+(?:\d+ [a-z]+, )*?(\d+) passed, ", re.M),  # jest
    re.compile(r"^\s*Tests\s+(?:\d+ [a-z]+ \| )*?(\d+) passed\b", re.M),  # vitest
    re.compile(r"^\s*(\d+) passing\b", re.M),  # mocha
    re.compile(r"^[#\u2139] pass (\d+)$", re.M),  # node, and what else prints TAP
    re.compile(r"^test result: \w+\. (\d+) passed;", re.M),  # cargo
)
UNITTEST = re.compile(r"^Ran (\d+) tests? in [\d.]+s\s+(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$", re.M)
NOT_PASSED = re.compile(r"(?:failures|errors|skipped|expected failures)=(\d+)")


def passed(log: bytes) -> int | None:
    """The number of tests that passed, all runners of the log added up; None where none says it."""
    text = COLOUR.sub("", log.decode(errors="replace"))
    numbers = [int(found) for form in PASSED for found in form.findall(text)]
    for ran, rest in UNITTEST.findall(text):
        numbers.append(int(ran) - sum(map(int, NOT_PASSED.findall(rest))))
    if numbers:
        return sum(numbers)
    return 0 if NONE.search(text) else None
