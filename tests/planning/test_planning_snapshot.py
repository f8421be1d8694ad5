"""What planning reads of a real repository and a real change folder."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.git.repo import Repo
from parallel_impl.planning.reading import documents, snapshot, table
from parallel_impl.planning.reading.evidence import ClueKind, Resolution
from tests.repository import commit_all, init

CHANGE = "openspec/changes/discount"
FILES = {
    "src/shop/cart.py": "import shop.pay\n",
    "src/shop/pay.py": "",
    "src/shop/__init__.py": "",
    "tests/test_cart.py": "",
    f"{CHANGE}/proposal.md": "# Discounts\nThe `src/shop/pay.py` is used.\n",
    f"{CHANGE}/tasks.md": "## 1. Code\n- [ ] 1.1 Extend `cart.py`\n",
    f"{CHANGE}/specs/shop/spec.md": "### Requirement: x\n",
    f"{CHANGE}/contracts/api.yaml": "openapi: 3.1.0\n",
    f"{CHANGE}/work-packages.yaml": "packages: []\n",
}


def make(folder: Path) -> Path:
    init(folder)
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    commit_all(folder, "one")
    for path in ("src/shop/cart.py", "src/shop/pay.py"):
        (folder / path).write_text(f"{FILES[path]}# two\n")
    commit_all(folder, "two")
    return folder


def test_documents_come_from_the_work_tree_and_code_from_the_commit(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / CHANGE / "tasks.md").write_text(
        "## 1. Code\n- [ ] 1.1 Extend `cart.py`\n- [ ] 1.2 Add `src/shop/vat.py`\n"
    )
    (folder / "src/shop/vat.py").write_text("")
    repo = Repo.discover(folder)
    head = repo.head(folder)
    assert head
    read = documents.load(folder / CHANGE)
    assert [(one.path, one.kind) for one in read] == [
        ("contracts/api.yaml", ClueKind.CONTRACT),
        ("proposal.md", ClueKind.PROPOSAL),
        ("specs/shop/spec.md", ClueKind.SPEC),
        ("tasks.md", ClueKind.TASK),
    ]
    assert snapshot.uncommitted(repo, head, CHANGE, read) == ("tasks.md",)
    found = table.build("discount", read, snapshot.take(repo, head), change_path=CHANGE)
    assert found.title == "Discounts"
    assert [task.id for task in found.tasks] == ["1.1", "1.2"]
    assert found.files == {"src/shop/cart.py", "src/shop/pay.py", "src/shop/__init__.py", "tests/test_cart.py"}
    assert found.imports["src/shop/cart.py"] == {"src/shop/pay.py"}
    assert found.together["src/shop/cart.py", "src/shop/pay.py"] == 2
    assert found.hot["src/shop/cart.py"] == 2
    resolutions = {one.path: one.resolution for one in found.evidence if one.kind is ClueKind.TASK}
    assert resolutions == {"src/shop/cart.py": Resolution.SUFFIX, "src/shop/vat.py": Resolution.NEW}


def test_a_symbolic_link_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("`a/b.py`")
    change = tmp_path / "change"
    change.mkdir()
    (change / "design.md").symlink_to(tmp_path / "secret.md")
    assert documents.load(change) == ()
