"""The safety rules and how each is switched off: one line is one mutation.

The rules are promises of the README and decisions of the design. A rule that has several places has several mutations.
"""

from __future__ import annotations

from tests.mutations.mutation import Mutation

NOTHING = "lambda *given, **named: None"

MUTATIONS = (
    Mutation(
        "steps must pass",
        "parallel_impl.run.attempt.attempt:_verify",
        NOTHING,
        ("tests/e2e/test_e2e_safety.py::test_work_that_fails_its_own_steps_is_never_accepted",),
    ),
    Mutation(
        "work outside the scope fails",
        "parallel_impl.run.attempt.attempt:_check_scope",
        NOTHING,
        ("tests/e2e/test_e2e_safety.py::test_the_scope_that_counts_is_the_one_of_the_base",),
    ),
)
