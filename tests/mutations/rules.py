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
)
