"""One mutation: a rule whose wiring is taken away, by name and at run time, and the tests of which one must fail."""

from __future__ import annotations

from dataclasses import dataclass

MOST_TESTS = 3  # under 20 s together


@dataclass(frozen=True, slots=True)
class Mutation:
    """What `target` becomes.

    `target` is `package.module:name` or `package.module:Class.name`. `becomes` is an expression in the names of that
    module, in which `original` is what stood there. `tests` are ids of tests as pytest takes them.
    """

    rule: str
    target: str
    becomes: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in a list: the place, without the package."""
        return self.target.removeprefix("parallel_impl.")
