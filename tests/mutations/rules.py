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
        "no change is no work",
        "parallel_impl.run.attempt.attempt:_check_changes",
        NOTHING,
        (
            "tests/e2e/test_e2e_agents.py::"
            "test_nothing_changed_is_no_work_unless_the_plan_says_so_and_the_agent_is_remembered",
        ),
    ),
    Mutation(
        "work elsewhere than in the worktree is kept",
        "parallel_impl.run.attempt.attempt:_look_elsewhere",
        NOTHING,
        (
            "tests/e2e/test_e2e_side_work.py::"
            "test_the_next_attempt_takes_the_work_from_where_it_lay_and_cleanup_knows_what_is_contained",
        ),
    ),
    Mutation(
        "work elsewhere than in the worktree is kept, after a kill",
        "parallel_impl.run.resume.attempts:_look_elsewhere",
        NOTHING,
        ("tests/run/test_run_leftovers.py::test_what_a_killed_agent_had_left_elsewhere_is_kept_beside_its_attempt",),
    ),
    Mutation(
        "cleanup keeps a line of commits that no branch holds whole",
        "parallel_impl.run.inspect.cleanup:_Containment.holds_line",
        "_Containment.holds",
        ("tests/run/test_run_cleanup.py::test_work_elsewhere_is_kept_unless_all_of_it_is_contained",),
    ),
    Mutation(
        "a repository with foreign objects is not opened",
        "parallel_impl.git.own_objects:_check_lender",
        NOTHING,
        ("tests/git/test_git_side_work.py::test_a_repository_that_is_not_as_git_makes_it_is_not_looked_through",),
    ),
    Mutation(
        "nothing starts on accepted work that clashes",
        "parallel_impl.run.land.assemble:find_clash",
        NOTHING,
        (
            "tests/run/test_run_runner.py::"
            "test_nothing_starts_on_work_that_does_not_stand_in_one_tree_in_a_later_start_neither",
        ),
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
        "parallel_impl.git.object_names:misnamed",
        "lambda *given, **named: []",
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
