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
    Mutation(
        "a feature branch that moved halts",
        "parallel_impl.run.feature_branch:find_move",
        NOTHING,
        ("tests/e2e/test_e2e_feature_branch.py::test_a_plan_that_came_with_a_move_is_not_read_before_the_user_agreed",),
    ),
    Mutation(
        "a branch that is being rebased is not moved",
        "parallel_impl.git.checked_out:_in_progress",
        "lambda *given: iter(())",
        (
            "tests/e2e/test_e2e_feature_branch.py"
            "::test_a_branch_that_is_being_rebased_is_not_moved_and_the_run_goes_on_after_it",
        ),
    ),
    Mutation(
        "what lands is in the scopes of accepted packages",
        "parallel_impl.run.land.foreign:_paths",
        NOTHING,
        ("tests/run/test_run_land.py::test_work_that_no_accepted_package_may_write_does_not_land",),
    ),
    Mutation(
        "new objects are what their names say",
        "parallel_impl.git.object_names:_compare",
        "lambda *given: iter(())",
        (
            "tests/e2e/test_e2e_feature_branch.py"
            "::test_an_object_that_was_planted_under_the_name_of_the_work_is_never_landed",
        ),
    ),
    Mutation(
        "accepted is what git has on the attempt's ref",
        "parallel_impl.run.resume.attempts:counts",
        "lambda *given: True",
        ("tests/e2e/test_e2e_feature_branch.py::test_what_a_forged_journal_calls_accepted_is_done_again",),
    ),
    Mutation(
        "the user's checkouts are compared at the end",
        "parallel_impl.git.users_checkouts:UsersCheckouts.compare",
        "lambda self: []",
        (
            "tests/e2e/test_e2e_feature_branch.py"
            "::test_what_became_of_the_users_checkouts_is_reported_and_in_the_summary",
        ),
    ),
)
