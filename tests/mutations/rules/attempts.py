"""What an attempt is judged by: its scope, what was taken of it, its steps, its limits, and what a retry starts from.

Decisions 4, 5, 12, 17, 18, 22 and 24.
"""

from __future__ import annotations

from tests.mutations.mutation import EMPTY, NO, NONE_OF_THEM, NOTHING, Mutation

ATTEMPT = "tests/run/test_run_attempt.py::test_"
CASES = "tests/git/test_git_agent_cases.py::test_an_agents_work_is_taken_exactly_or_refused"
CHECKOUT = "tests/git/test_git_checkout.py::test_"
RUNNER = "tests/run/test_run_runner.py::test_"
STAGING = "tests/git/test_git_staging.py::test_"
STEPS = "tests/gates/test_gates_steps.py::test_"

MUTATIONS = (
    Mutation(
        "steps must pass",
        "parallel_impl.run.attempt.attempt:_verify",
        NOTHING,
        (f"{ATTEMPT}a_step_that_changes_tracked_files_fails",),
    ),
    Mutation(
        "steps must pass",
        "parallel_impl.gates.steps:_wrong_end",
        EMPTY,
        (f"{STEPS}steps_run_in_order_and_stop_at_the_first_that_fails",),
    ),
    Mutation(
        "steps judge the commit and not the folder that the agent left",
        "parallel_impl.run.attempt.attempt:_judge",
        "lambda attempt: (_check_scope(attempt),"
        " _run_steps(attempt, attempt.launch, attempt.workspace.source.found(attempt.package.id, attempt.commit))"
        ".passed or setattr(attempt, 'code', Failure.VERIFICATION_FAILED))",
        (f"{ATTEMPT}steps_run_in_a_fresh_checkout_of_the_commit",),
    ),
    Mutation(
        "a step that changes tracked files fails",
        "parallel_impl.run.attempt.attempt:Traces.changed",
        "lambda self: {}",
        (f"{ATTEMPT}a_step_that_changes_tracked_files_fails",),
    ),
    Mutation(
        "steps for a person never count as passed",
        "parallel_impl.gates.steps:_unstarted",
        "lambda step: StepStatus.PASSED",
        (f"{STEPS}steps_for_a_person_are_listed_and_never_passed",),
    ),
    Mutation(
        "the time limit of a step",
        "parallel_impl.gates.steps:Limits",
        "lambda seconds: original(86400.0)",
        (f"{ATTEMPT}a_step_has_its_time_limit",),
    ),
    Mutation(
        "the time limit of an agent",
        "parallel_impl.run.attempt.attempt:Limits",
        "lambda seconds, **named: original(86400.0, **named)",
        (f"{ATTEMPT}an_agent_has_its_time_limit",),
    ),
    Mutation(
        "the limit of silence of an agent",
        "parallel_impl.run.attempt.attempt:Limits",
        "lambda seconds, silence_seconds: original(seconds)",
        (f"{ATTEMPT}an_agent_that_makes_no_progress_is_ended",),
    ),
    Mutation(
        "work outside the scope fails",
        "parallel_impl.run.attempt.attempt:_check_scope",
        NOTHING,
        (f"{ATTEMPT}work_outside_the_scope_fails_and_its_retry_starts_from_the_base",),
    ),
    Mutation(
        "the plan is denied to every package",
        "parallel_impl.git.scope:_scope",
        "lambda path, scope, denied: scope.refusal(path)",
        (f"{CASES}[edits the plan]",),
    ),
    Mutation(
        "what is denied is not in the scope",
        "parallel_impl.plan.model:Scope.refusal",
        "lambda self, path: original(Scope(self.write_allow), path)",
        (f"{CASES}[makes a denied file a folder]",),
    ),
    Mutation(
        "symlinks lead nowhere else",
        "parallel_impl.git.scope:_target",
        EMPTY,
        (f"{CASES}[adds a symlink that leaves]",),
    ),
    Mutation(
        "no package changes a submodule",
        "parallel_impl.git.scope:_kind",
        EMPTY,
        (f"{CHECKOUT}submodules_stay_empty_and_cannot_be_changed",),
    ),
    Mutation(
        "no name is one of .git to another file system",
        "parallel_impl.git.scope:looks_like_git",
        NO,
        (f"{CASES}[writes a tree with .GIT]", f"{CASES}[points a symlink into .git]"),
    ),
    Mutation(
        "no two names differ only in case or Unicode form",
        "parallel_impl.git.scope:_twins",
        NONE_OF_THEM,
        (f"{CASES}[writes in a folder that differs in case]",),
    ),
    Mutation(
        "a large file fails the attempt",
        "parallel_impl.git.staging:_over",
        NOTHING,
        ("tests/git/test_git_agent_cases.py::test_a_file_over_the_limit_fails_the_attempt",),
    ),
    Mutation(
        "max_blob_mb counts",
        "parallel_impl.run.attempt.take_work:Staging",
        "lambda *given, max_blob_mb, **named: original(*given, **named)",
        (f"{ATTEMPT}a_file_over_the_limit_fails_the_attempt_and_the_limit_is_the_configured_one",),
    ),
    Mutation(
        "what set-up left is no work",
        "parallel_impl.git.staging:Staging.before",
        "lambda self, *, set_up: original(self, set_up=False)",
        (f"{STAGING}what_set_up_left_is_no_work",),
    ),
    Mutation(
        "an edit of the same size with its time set back is seen",
        "parallel_impl.git.staging:CONFIG",
        "tuple(one for one in original if 'trustctime' not in one and 'checkStat' not in one)"
        " + ('core.trustctime=false', 'core.checkStat=minimal')",
        (f"{STAGING}an_edit_of_the_same_size_with_its_old_time_set_back_is_seen",),
    ),
    Mutation(
        "the configuration of an agent is never believed",
        "parallel_impl.git.staging:CONFIG",
        "tuple(one for one in original if 'fileMode' not in one) + ('core.fileMode=false',)",
        (f"{STAGING}a_mode_is_seen_whatever_a_configuration_says_of_modes",),
    ),
    Mutation(
        "what git cannot take is never passed over",
        "parallel_impl.git.staging:Staging._unstageable",
        NONE_OF_THEM,
        (f"{CASES}[makes a FIFO]",),
    ),
    Mutation(
        "a worktree that cannot be taken is kept whole",
        "parallel_impl.git.checkout:Checkout.keep",
        "lambda self, number: (self.remove(), self.path)[1]",
        (f"{ATTEMPT}a_worktree_that_cannot_be_staged_is_kept_whole",),
    ),
    Mutation(
        "what an agent did and no ref has is kept whole",
        "parallel_impl.run.attempt.attempt:_leave",
        "lambda attempt, checkout, failure: attempt.workspace.put_away(attempt.package.id, 1, attempt.note)",
        (f"{ATTEMPT}work_that_no_ref_has_is_kept_whole_with_its_worktree",),
    ),
    Mutation(
        "every object of taken work is there, and is what its name says",
        "parallel_impl.run.attempt.take_work:_check_objects",
        NOTHING,
        (f"{ATTEMPT}work_that_no_ref_has_is_kept_whole_with_its_worktree",),
    ),
    Mutation(
        "what an agent did elsewhere is looked for",
        "parallel_impl.run.attempt.attempt:_look_elsewhere",
        NOTHING,
        (f"{ATTEMPT}what_an_agent_committed_elsewhere_is_looked_for_and_kept",),
    ),
    Mutation(
        "a repository with foreign objects is not opened",
        "parallel_impl.git.own_objects:_check_lender",
        NOTHING,
        ("tests/git/test_git_side_work.py::test_a_repository_that_is_not_as_git_makes_it_is_not_looked_through",),
    ),
    Mutation(
        "tasks.md is the orchestrator's",
        "parallel_impl.run.attempt.take_work:own_files",
        NONE_OF_THEM,
        ("tests/e2e/test_e2e_safety.py::test_edits_of_the_task_list_are_left_out_and_listed",),
    ),
    Mutation(
        "no change is no work",
        "parallel_impl.run.attempt.attempt:_check_changes",
        NOTHING,
        (f"{ATTEMPT}an_attempt_without_a_change_is_no_work",),
    ),
    Mutation(
        "a package that may be empty is not while its work lies elsewhere",
        "parallel_impl.run.attempt.attempt:_check_changes",
        "lambda attempt: None if emptiness.allowed(attempt) else original(attempt)",
        (
            "tests/e2e/test_e2e_side_work.py::test_a_package_that_may_be_empty_is_not_accepted_while_its_work_lies_elsewhere",
        ),
    ),
    Mutation(
        "what was measured wins over what was reported",
        "parallel_impl.gates.evidence:known_as",
        "lambda key, command, known: None",
        (f"{STEPS}what_was_measured_wins_over_what_a_step_reports_under_any_name_of_it",),
    ),
    Mutation(
        "nothing is accepted on a result that does not hold",
        "parallel_impl.run.runner:_problems",
        EMPTY,
        (f"{RUNNER}nothing_is_accepted_on_a_result_that_does_not_hold",),
    ),
    Mutation(
        "a result counts with the scope of the plan",
        "parallel_impl.record.result_check:_scope",
        "lambda result, package: []",
        (f"{RUNNER}nothing_is_accepted_on_a_result_that_does_not_hold",),
    ),
    Mutation(
        "a result counts with all steps of the plan",
        "parallel_impl.record.result_check:_verification",
        "lambda reported, package: []",
        ("tests/record/test_record_result.py::test_what_does_not_hold_is_said",),
    ),
    Mutation(
        "a contract that a package writes is sound",
        "parallel_impl.run.attempt.attempt:_check_contracts",
        NOTHING,
        ("tests/e2e/test_e2e_fixtures.py::test_a_contract_that_is_not_sound_is_not_accepted",),
    ),
    Mutation(
        "after a scope violation or a crash the retry starts from the base",
        "parallel_impl.run.attempt.job:Outcome.from_base",
        "property(lambda self: False)",
        (f"{ATTEMPT}work_outside_the_scope_fails_and_its_retry_starts_from_the_base",),
    ),
    Mutation(
        "after a scope violation or a crash the retry starts from the base",
        "parallel_impl.run.runner:_previous",
        "lambda progress, last: replace(original(progress, last), start=last.commit)",
        (f"{RUNNER}a_retry_after_a_scope_violation_starts_from_the_base",),
    ),
    Mutation(
        "retries are as many as the plan says",
        "parallel_impl.record.state:Progress.may_retry",
        "lambda self, retry_budget: True",
        ("tests/record/test_record_state.py::test_the_budget_counts_attempts_beyond_the_first",),
    ),
    Mutation(
        "what is not the agent's fault costs no retry",
        "parallel_impl.record.codes:_FREE",
        "()",
        ("tests/record/test_record_codes.py::test_what_shows_nothing_about_the_work_costs_no_retry",),
    ),
    Mutation(
        "a failure on a full disk costs no retry",
        "parallel_impl.run.attempt.attempt:storage",
        "type('Storage', (), {**vars(original), 'check_full': staticmethod(lambda *folders: None)})",
        (f"{ATTEMPT}a_failure_on_a_full_disk_shows_nothing_about_the_work",),
    ),
    Mutation(
        "files around the checkouts are no evidence",
        "parallel_impl.run.attempt.attempt:_check_surroundings",
        NOTHING,
        (f"{ATTEMPT}files_around_the_checkouts_are_no_evidence_and_cost_no_retry",),
    ),
    Mutation(
        "set-up that changes more than on the base proves nothing",
        "parallel_impl.run.launch:_changes_more",
        NOTHING,
        ("tests/e2e/test_e2e_judges.py::test_set_up_that_changes_more_than_on_the_base_proves_nothing",),
    ),
    Mutation(
        "work is paid once",
        "parallel_impl.run.attempt.kept_work:find",
        NOTHING,
        ("tests/e2e/test_e2e_paid_once.py::test_work_whose_steps_were_killed_is_not_done_again",),
    ),
    Mutation(
        "reported files are regular ones",
        "parallel_impl.storage:read_regular",
        "lambda file, largest: file.read_bytes()",
        (f"{STEPS}a_result_file_that_is_a_link_is_not_read",),
    ),
    Mutation(
        "an environment with foreign code proves the wrong tree",
        "parallel_impl.gates.setup:_foreign",
        NOTHING,
        ("tests/gates/test_gates_setup.py::test_an_environment_with_foreign_code_fails_set_up",),
    ),
)
