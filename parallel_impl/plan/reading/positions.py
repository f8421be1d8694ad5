"""The position of every node of a parsed file, in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from parallel_impl.plan.model import YamlPath

Place = tuple[int, int]


def place_of(mark: Any) -> Place:
    """Line and column (1-based) of one of libyaml's marks (0-based)."""
    return mark.line + 1, mark.column + 1


class Positions(Mapping[YamlPath, Place]):
    """Line and column (1-based) of every node: of a scalar itself, of a list or mapping its key.

    Kept as the parser's own marks, one list for each list or mapping (by `id`), and looked up by walking the
    data: nothing is built for the hundreds of thousands of nodes that are never looked up.
    """

    def __init__(self, data: dict[str, Any], marks: dict[int, list[Any]], root: Any) -> None:
        self._data = data
        self._marks = marks
        self._root = root

    def __getitem__(self, path: YamlPath) -> Place:
        return self._find(path, key=False)

    def key(self, path: YamlPath) -> Place:
        """The position of the key of this entry of a mapping (for a list's entry, of the entry)."""
        return self._find(path, key=True)

    def nearest(self, path: YamlPath, *, key: bool = False) -> Place:
        """The position of `path`, or of its nearest ancestor that exists."""
        for end in range(len(path), 0, -1):
            try:
                return self._find(path[:end], key=key)
            except KeyError:
                continue
        return place_of(self._root)

    def _find(self, path: YamlPath, *, key: bool) -> Place:
        mark: Any = self._root
        node: Any = self._data
        index: Any
        for part in path:
            marks = self._marks.get(id(node))
            try:
                if isinstance(node, dict):
                    index = 2 * list(node).index(part)
                    child = node[part]
                    scalar = not isinstance(child, (dict, list))
                else:
                    index, scalar = int(part), False  # of a JSON pointer it is text
                    child = node[index]
            except (ValueError, IndexError, TypeError):
                raise KeyError(path) from None
            if marks is None:
                raise KeyError(path)
            mark, node = marks[index + (scalar and not key)], child
        return place_of(mark)

    def __iter__(self) -> Iterator[YamlPath]:
        stack: list[tuple[YamlPath, Any]] = [((), self._data)]
        while stack:
            path, node = stack.pop()
            yield path
            if isinstance(node, dict):
                stack += [((*path, name), node[name]) for name in reversed(node)]
            elif isinstance(node, list):
                stack += [((*path, number), node[number]) for number in reversed(range(len(node)))]

    def __len__(self) -> int:
        return sum(1 for _ in self)
