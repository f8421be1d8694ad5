"""An agent that plays every role of planning: `python played_roles.py <question> <round> [docs-fail] [critical] …`.

It writes `answer.json` in the current folder, for the change `fix-typos` of the fixture `no-contracts`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LISTS = ("items", "interfaces", "tests", "examples", "dependencies", "risks", "questions")
EMPTY: dict[str, Any] = {name: [] for name in LISTS}
TITLES = {"name": "Titles", "definition": "title: str, at most 60 characters"}
CORE = {
    **EMPTY,
    "summary": "Both pages are corrected.",
    "items": [
        {"name": "guide", "purpose": "the guide", "tasks": ["1.1"], "paths": ["guide.md"]},
        {"name": "index", "purpose": "the index", "tasks": ["2.1"], "paths": ["index.md"]},
    ],
    "interfaces": [{**TITLES, "provider": "guide", "consumers": ["index"]}],
    "dependencies": [{"task": "2.1", "needs": "1.1", "why": "it lists the title"}],
}
USED_BY_NOBODY = {**TITLES, "provider": "guide", "consumers": []}
INTEGRATIONS = {**EMPTY, "summary": "Nothing outside.", "interfaces": [USED_BY_NOBODY]}
TESTS = {**EMPTY, "summary": "One test.", "tests": [{"name": "the title is right", "level": "unit", "tasks": ["1.1"]}]}
DOCS = {
    **EMPTY,
    "summary": "The pages are the documentation.",
    "items": [{"name": "guide.md", "purpose": "the guide", "tasks": ["1.1"], "paths": ["guide.md"]}],
    "examples": [{"title": "A title", "text": "# Guide", "item": "guide.md"}],
}
PLANS = {"core": CORE, "integrations": INTEGRATIONS, "tests": TESTS, "docs": DOCS}
MINOR = {
    "what": "the users of Titles differ",
    "tracks": ["core", "integrations"],
    "severity": "minor",
    "proposal": "index uses it",
    "interface": "Titles",
}
CRITICAL = {
    "what": "the title is in two languages",
    "tracks": ["core", "docs"],
    "severity": "critical",
    "question": "English or\nGerman?\x1b[2J",
}
SECTIONS = {
    "executive_summary": "Two pages are corrected.",
    "implementation_strategy": "### Phase 1\n\nBoth at once.",
    "module_architecture": "`guide.md` and `index.md`.",
    "integration_design": "None.",
    "test_plan": "1.1 by a unit test.",
    "documentation_plan": "The pages themselves.",
    "task_breakdown": "- 1.1 guide.md\n- 2.1 index.md",
    "dependencies": "2.1 lists the title of 1.1.",
    "risk_mitigation": "None.",
    "quality_gates": "Both pages read well.",
}
PACKAGES = {
    "packages": [
        {
            "package_id": f"wp-{name}",
            "title": name,
            "description": f"Correct the {name}.",
            "tasks": [task],
            "weight": 1,
            "scope": {"write_allow": [f"{name}.md"]},
        }
        for name, task in (("guide", "1.1"), ("index", "2.1"))
    ]
}


def answer(question: str, modes: list[str]) -> Any:
    """What it writes; KeyError where it fails."""
    kind, _, track = question.partition("-")
    if kind == "plan":
        track, number = track.split("-")
        if track in ("docs", "tests") and f"{track}-fail" in modes:
            raise KeyError(track)
        if track == "tests" and number == "1" and "tests-late" in modes:
            raise KeyError(track)
        return PLANS[track]
    if kind == "review":
        conflicts = [CRITICAL] if "critical" in modes else [MINOR]
        return {
            "conflicts": conflicts,
            "gaps": [{"what": "no test of 2.1", "track": "tests"}],
            "guidance": ["Be short."],
        }
    if kind == "synthesis":
        return SECTIONS
    if kind == "sign":
        if "refuse" in modes:
            return {"signed": False, "reasons": ["2.1 is not tested"]}
        return {"signed": True, "reasons": [], "sections": {"risk_mitigation": "A reader looks at both."}}
    return PACKAGES


if __name__ == "__main__":
    asked, _, *given = sys.argv[1:]
    try:
        written = answer(asked, given)
    except KeyError:
        sys.exit(f"{asked}: I cannot do this")
    Path("answer.json").write_text(json.dumps(written))
