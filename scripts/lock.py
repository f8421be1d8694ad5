"""Write constraints.txt: every package that pip installs today for the tool, its tests and its build, one version each.

Called by `make lock`, by the oldest Python that is supported: what runs there runs on newer ones, and not the other way
round. Nothing is installed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
EDITABLE = "editables"  # hatchling asks for it when it builds an editable install, and writes it down nowhere


def main() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = told["project"]["requires-python"].removeprefix(">=")
    if sys.version_info[:2] != tuple(map(int, oldest.split("."))):
        sys.exit(f"constraints.txt is made by Python {oldest}: PYTHON=python{oldest} make lock")
    wanted = (f"{ROOT}[dev]", *told["build-system"]["requires"], EDITABLE)
    asked = (*PIP, "--dry-run", "--ignore-installed", "--report", "-", *wanted)
    report = json.loads(subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout)
    found = {item["metadata"]["name"]: item["metadata"]["version"] for item in report["install"]}
    del found[told["project"]["name"]]
    lines = sorted(f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" for name, version in found.items())
    (ROOT / "constraints.txt").write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
