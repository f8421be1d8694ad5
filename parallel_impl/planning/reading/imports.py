"""Which files import which, by each language's real parser: for order and coupling between tasks, never for scope.

Python by `ast`; TypeScript, JavaScript and Go by tree-sitter where the extra `planning` is installed. A file that does
not parse has no imports and a note.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping

from parallel_impl.planning.reading.tree import FileTree, above, ends, extension, folder_of, shared

SCRIPT = frozenset((".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts"))
LANGUAGES = frozenset((".py", ".pyi", ".go")) | SCRIPT
_TRIED = (
    "",
    ".ts",
    ".tsx",
    ".d.ts",
    ".js",
    ".jsx",
    ".mjs",
    ".cjs",
    "/index.ts",
    "/index.tsx",
    "/index.js",
    "/index.jsx",
)
_COMPILED = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
MAX_BYTES = 500_000
MOST = 2000  # files that are read at all


def find(contents: Mapping[str, bytes], tree: FileTree) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    """What each of these files imports of the tree, and notes about those that could not be read."""
    found, notes = {}, []
    for path, content in sorted(contents.items()):
        if len(content) > MAX_BYTES:
            continue
        try:
            imported = frozenset(_imports(path, content, tree)) - {path}
        except (SyntaxError, ValueError, RecursionError) as error:
            notes.append(f"{path}: its imports are not known: {error}")
            continue
        if imported:
            found[path] = imported
    return found, (*notes, *_absent(contents))


def _imports(path: str, content: bytes, tree: FileTree) -> Iterator[str]:
    if extension(path) in (".py", ".pyi"):
        yield from _python(path, content, tree)
    elif extension(path) in SCRIPT:
        for name in _strings(content, _script_language(path)):
            yield from _script(path, name, tree)
    elif extension(path) == ".go":
        for name in _strings(content, _go_language()):
            yield from _go(path, name, tree)


def _python(path: str, content: bytes, tree: FileTree) -> Iterator[str]:
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(path, alias.name, tree)
        elif isinstance(node, ast.ImportFrom):
            package = _package(path, node.level)
            for alias in node.names:
                parts = [part for part in (node.module or "", alias.name if alias.name != "*" else "") if part]
                names = (".".join(parts), node.module or "")
                resolved = [list(_module(path, name, tree, inside=package)) for name in names]
                yield from next(filter(None, resolved), ())


def _package(path: str, level: int) -> str | None:
    """The folder that a relative import starts from; None for an absolute one."""
    if not level:
        return None
    folder = folder_of(path)
    for _ in range(level - 1):
        folder = folder_of(folder)
    return folder


def _module(path: str, name: str, tree: FileTree, *, inside: str | None = None) -> Iterator[str]:
    """The file of a module; the nearest where several could be meant (`src/` layouts, scripts beside each other)."""
    tail = name.replace(".", "/")
    endings = (f"{tail}.py", f"{tail}/__init__.py", f"{tail}.pyi") if tail else ("__init__.py",)
    for ending in endings:
        if inside is not None:
            several = [whole] if (whole := f"{inside}/{ending}".lstrip("/")) in tree.files else []
        else:
            several = [one for one in tree.ending(ending) if _is_root(one, ending, path)]
        if several:
            yield max(several, key=lambda one: shared(one, path))
            return


def _is_root(found: str, ending: str, path: str) -> bool:
    """Whether an import in `path` can mean `found`: what stands before the module lies above the importing file.

    `src`, `lib` and `python` may stand between; a script imports what lies beside it.
    """
    root = found[: len(found) - len(ending)].rstrip("/")
    if not root or root in above(path):
        return True
    outer, _, last = root.rpartition("/")
    return last in ("src", "lib", "python", "scripts") and (not outer or outer in above(path))


def _script(path: str, name: str, tree: FileTree) -> Iterator[str]:
    """The file of an import by a relative path, or by one from a root such as `@/` or `src/`."""
    if name.startswith("."):
        whole = _joined(folder_of(path), name)
        yield from _first(tree, [whole] if whole is not None else [])
    elif name.startswith(("@/", "~/", "src/", "#")):
        tail = name.split("/", 1)[-1]
        roots = [f"{folder}/" for folder in reversed(above(path))] + [""]
        yield from _first(tree, [f"{root}{between}{tail}" for root in roots for between in ("src/", "")])


def _first(tree: FileTree, stems: Iterable[str]) -> Iterator[str]:
    for stem in stems:
        bare, dot, ending = stem.rpartition(".")
        compiled = tuple(f"{bare}{one}" for one in _COMPILED.get(f"{dot}{ending}", ()))
        for candidate in (*(f"{stem}{tail}" for tail in _TRIED), *compiled):
            if candidate in tree.files:
                yield candidate
                return


def _joined(folder: str, name: str) -> str | None:
    parts = folder.split("/") if folder else []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _go(path: str, name: str, tree: FileTree) -> Iterator[str]:
    """The files of a Go package of this repository: the longest end of the import path that is a folder of it."""
    parts = name.split("/")
    if "." not in parts[0] and len(parts) == 1:
        return  # the standard library
    for start in range(len(parts)):
        tail = "/".join(parts[start:])
        several = [folder for folder in tree.folders_by_name.get(parts[-1], ()) if ends(folder, tail)]
        if several:
            folder = max(several, key=lambda one: shared(f"{one}/x", path))
            yield from (
                one for one in tree.direct.get(folder, ()) if one.endswith(".go") and not one.endswith("_test.go")
            )
            return


def _strings(content: bytes, language: object) -> Iterator[str]:
    """The texts of import statements, `require` and dynamic imports."""
    if language is None:
        return
    from tree_sitter import Language, Parser  # noqa: PLC0415 - an optional extra, slow to import

    queue = [Parser(Language(language)).parse(content).root_node]
    while queue:
        node = queue.pop()
        source = None
        if node.type in ("import_statement", "export_statement"):
            source = node.child_by_field_name("source")
        elif node.type == "import_spec":
            source = node.child_by_field_name("path")
        elif node.type == "call_expression":
            called = node.child_by_field_name("function")
            if called is not None and called.text in (b"require", b"import"):
                arguments = node.child_by_field_name("arguments")
                source = (
                    next((one for one in arguments.named_children if one.type == "string"), None) if arguments else None
                )
        if source is not None and source.text:
            yield source.text.decode("utf-8", "replace").strip("\"'`")
        queue += node.children


def _script_language(path: str) -> object:
    ending = extension(path)
    if ending in (".ts", ".mts", ".cts"):
        return _grammar("tree_sitter_typescript", "language_typescript")
    return (
        _grammar("tree_sitter_typescript", "language_tsx") if ending == ".tsx" else _grammar("tree_sitter_javascript")
    )


def _go_language() -> object:
    return _grammar("tree_sitter_go")


def _grammar(module: str, function: str = "language") -> object:
    from importlib import import_module  # noqa: PLC0415

    try:
        made: Callable[[], object] = getattr(import_module(module), function)
    except ImportError:
        return None
    return made()


def _absent(paths: Iterable[str]) -> list[str]:
    """A note where there are files of a language whose grammar is not installed."""
    endings = {extension(path) for path in paths}
    wanted = {
        "TypeScript": (endings & {".ts", ".tsx", ".mts", ".cts"}, "tree_sitter_typescript"),
        "JavaScript": (endings & {".js", ".jsx", ".mjs", ".cjs"}, "tree_sitter_javascript"),
        "Go": (endings & {".go"}, "tree_sitter_go"),
    }
    return [
        f"imports of {language} files are not read: pip install 'parallel-implement[planning]'"
        for language, (present, module) in wanted.items()
        if present and _grammar(module, "language" if "typescript" not in module else "language_tsx") is None
    ]
