"""What a run is over time: journal and state, what a killed process left, claims between runs, abort and cleanup.

Decisions 8, 9, 12, 21, 22 and 26.
"""

from __future__ import annotations

from tests.mutations.mutation import EMPTY, NO, NOTHING, YES, Mutation

CLAIMS = "tests/run/test_run_claims.py::test_"
JOURNAL = "tests/record/test_record_journal.py::test_"
LEFTOVERS = "tests/run/test_run_leftovers.py::test_"
RUNNER = "tests/run/test_run_runner.py::test_"
STATE = "tests/record/test_record_state.py::test_"

MUTATIONS = (
    Mutation(
        "replaced files are durable",
        "parallel_impl.storage:write_atomically",
        "lambda path, content, *, durably=True: original(path, content, durably=False)",
        (f"{JOURNAL}a_replaced_file_and_a_new_journal_are_durable_with_their_names",),
    ),
    Mutation(
        "new journals are durable",
        "parallel_impl.storage:sync_folder",
        NOTHING,
        (f"{JOURNAL}a_replaced_file_and_a_new_journal_are_durable_with_their_names",),
    ),
    Mutation(
        "an event is on disk before its effect is relied on",
        "parallel_impl.record.journal:Journal.append",
        "lambda self, *events, sync=True: original(self, *events, sync=False)",
        (f"{JOURNAL}there_is_one_fsync_for_all_events_of_one_append",),
    ),
    Mutation(
        "a journal has one writer",
        "parallel_impl.record.journal:Journal._lock",
        NOTHING,
        (
            "tests/run/test_run_change_lock.py::test_who_writes_the_journal_is_not_disturbed_when_all_lock_files_are_gone",
        ),
    ),
    Mutation(
        "a torn last line is cut off",
        "parallel_impl.record.journal:Journal._read_whole_lines",
        "lambda self: bytearray(self.path.read_bytes())",
        (f"{JOURNAL}a_torn_last_line_is_cut_off_and_what_follows_is_whole",),
    ),
    Mutation(
        "what somebody does to an open journal is undone",
        "parallel_impl.record.journal:Journal._undo",
        NOTHING,
        (f"{JOURNAL}what_is_done_to_an_open_journal_is_undone_and_told_once",),
    ),
    Mutation(
        "damage of a journal is an error",
        "parallel_impl.record.state:State._expect",
        NOTHING,
        (f"{STATE}an_event_that_cannot_follow_is_refused", f"{STATE}an_accepted_package_is_never_changed"),
    ),
    Mutation(
        "objects and refs are on disk before the journal relies on them",
        "parallel_impl.git.repo:ON_DISK",
        "()",
        ("tests/git/test_git_repo.py::test_objects_and_refs_are_on_disk_before_the_journal_relies_on_them",),
    ),
    Mutation(
        "an attempt is journalled before it starts",
        "parallel_impl.run.runner:_start",
        "lambda loop, jobs: [("
        "done := loop.workers.submit(loop.run_attempt, loop.run.spec, loop.run.workspace, loop.run.launch, job,"
        " loop.inbox.put), done.exception(), loop.run.record(_started(loop.run, job)),"
        " loop.inbox.put(Returned(job, done))) for job in jobs]",
        (f"{RUNNER}an_attempt_is_in_the_journal_before_it_starts",),
    ),
    Mutation(
        "a package starts when all that it depends on is accepted",
        "parallel_impl.record.state:State._queue",
        "lambda self, names: [setattr(self.packages[name], 'state', PackageState.QUEUED)"
        " for name in names if self.packages[name].state in WAITING]",
        (f"{STATE}only_packages_whose_dependencies_are_accepted_may_start",),
    ),
    Mutation(
        "nothing below a failure starts",
        "parallel_impl.record.state:State.doomed",
        "lambda self: []",
        (f"{STATE}what_lies_below_a_failure_is_doomed_and_what_does_not_goes_on",),
    ),
    Mutation(
        "a changed repository starts nothing more",
        "parallel_impl.record.state:State.ready",
        "lambda self, order, *, only=None: (t := self.tampering, setattr(self, 'tampering', None),"
        " original(self, order, only=only), setattr(self, 'tampering', t))[2]",
        (f"{STATE}a_changed_repository_starts_nothing_more",),
    ),
    Mutation(
        "no more agents than jobs",
        "parallel_impl.record.state:State.room",
        "lambda self, jobs: 999",
        (f"{STATE}no_more_than_jobs_are_live_and_only_leaves_the_others_out",),
    ),
    Mutation(
        "an old proof counts no more after packages are done again",
        "parallel_impl.record.state:State._again",
        "lambda self, event: (proven := self.proven, original(self, event), setattr(self, 'proven', proven))",
        (f"{STATE}an_earlier_proof_counts_no_more_when_packages_are_done_again",),
    ),
    Mutation(
        "a crash between the last attempt's end and the verdict gives no further attempt",
        "parallel_impl.run.resume.leftovers:fail_spent",
        NOTHING,
        ("tests/run/test_run_go_on.py::test_a_package_whose_last_try_failed_before_the_kill_gets_no_further_one",),
    ),
    Mutation(
        "accepted is what git has on the attempt's ref",
        "parallel_impl.run.resume.attempts:counts",
        YES,
        (f"{LEFTOVERS}what_only_the_journal_calls_accepted_is_done_again",),
    ),
    Mutation(
        "a package's ref counts only on this run's base",
        "parallel_impl.run.resume.attempts:_is_on_base",
        YES,
        (f"{LEFTOVERS}what_only_the_journal_calls_accepted_is_done_again[another base]",),
    ),
    Mutation(
        "what only the journal calls accepted is done again",
        "parallel_impl.run.resume.leftovers:do_again",
        NOTHING,
        (f"{LEFTOVERS}what_only_the_journal_calls_accepted_is_done_again",),
    ),
    Mutation(
        "accepted work that was not journalled is taken over",
        "parallel_impl.run.resume.attempts:counts",
        NO,
        (f"{LEFTOVERS}accepted_work_that_was_not_journalled_is_taken_over",),
    ),
    Mutation(
        "what a killed agent had done is saved",
        "parallel_impl.run.resume.attempts:_save",
        EMPTY,
        (f"{LEFTOVERS}what_a_killed_agent_had_done_is_saved_on_its_attempts_ref",),
    ),
    Mutation(
        "what a killed agent had left elsewhere is kept",
        "parallel_impl.run.resume.attempts:_look_elsewhere",
        NOTHING,
        (f"{LEFTOVERS}what_a_killed_agent_had_left_elsewhere_is_kept_beside_its_attempt",),
    ),
    Mutation(
        "no two agents work for one package",
        "parallel_impl.run.attempt.run_processes:_living",
        "lambda places, state, run_id: []",
        (f"{LEFTOVERS}processes_are_found_by_the_id_of_the_run_and_ended",),
    ),
    Mutation(
        "locks that may be somebody else's stay",
        "parallel_impl.run.resume.leftovers:_locks",
        "lambda places, state: places.common.rglob('*.lock')",
        (f"{LEFTOVERS}scratch_folders_and_locks_of_ours_are_removed_and_nothing_else",),
    ),
    Mutation(
        "one process at a time works on a change",
        "parallel_impl.run.claims.lock_file:FileLock.acquire",
        "lambda self, *given, **named: original(type(self)(self.lock_file + '.own'), *given, **named)",
        ("tests/run/test_run_change_lock.py::test_who_holds_a_change_is_named_to_the_next_one",),
    ),
    Mutation(
        "a lock file that is removed lets nobody else in",
        "parallel_impl.run.claims.change_lock:_elsewhere",
        EMPTY,
        ("tests/run/test_run_change_lock.py::test_an_unlinked_lock_file_lets_nobody_in_beside_its_living_holder",),
    ),
    Mutation(
        "a lock counts for the file that lies at its path now",
        "parallel_impl.run.claims.lock_file:LockFile.is_in_place",
        YES,
        (
            "tests/run/test_run_lock_file.py::test_a_file_that_replaced_the_held_one_is_another_lock_and_the_holder_can_tell",
        ),
    ),
    Mutation(
        "nobody is inside the ledger beside another one",
        "parallel_impl.run.claims.ledger:_others",
        "lambda folder, guard: []",
        ("tests/run/test_run_ledger.py::test_nobody_gets_in_while_another_is_inside_its_guard_unlinked_or_not",),
    ),
    Mutation(
        "a damaged ledger is never empty",
        "parallel_impl.run.claims.ledger:read",
        "lambda folder: {}",
        ("tests/run/test_run_ledger.py::test_a_damaged_ledger_is_an_error_and_never_empty",),
    ),
    Mutation(
        "a living run is in the way",
        "parallel_impl.run.claims.claims:_in_the_way",
        "lambda found: []",
        (f"{CLAIMS}a_living_run_is_in_the_way_with_everything_that_conflicts",),
    ),
    Mutation(
        "a run whose lock file is gone lives as long as its process",
        "parallel_impl.run.claims.claims:_is_live",
        "lambda entry, places: lock_file.is_held(places.locks / f'{places.change_id}.lock', entry.lock)",
        (f"{CLAIMS}a_run_whose_lock_file_was_unlinked_lives_as_long_as_its_process",),
    ),
    Mutation(
        "halted runs keep their claims",
        "parallel_impl.run.claims.claims:_standing_of_journal",
        "lambda places: Standing.DEAD",
        (f"{CLAIMS}of_runs_that_are_not_alive_only_halted_and_paused_ones_keep_their_claims",),
    ),
    Mutation(
        "a living run that somebody removed from the ledger excludes everything",
        "parallel_impl.run.claims.claims:_active",
        "lambda common, entries: [run for run in original(common, entries) if run.claims]",
        (f"{CLAIMS}a_living_run_that_somebody_removed_from_the_ledger_excludes_everything",),
    ),
    Mutation(
        "who waits holds nothing",
        "parallel_impl.run.claims.claims:release",
        NO,
        (f"{CLAIMS}a_run_that_waits_for_another_one_holds_nothing_meanwhile",),
    ),
    Mutation(
        "processes of a dead run end before its claims are taken over",
        "parallel_impl.run.claims.claims:_end_processes",
        NOTHING,
        (f"{CLAIMS}processes_of_a_dead_run_end_before_its_claims_are_taken_over",),
    ),
    Mutation(
        "claims that were taken out of the ledger are entered again",
        "parallel_impl.run.claims.claims:confirm",
        NOTHING,
        ("tests/e2e/test_e2e_claims.py::test_claims_that_somebody_removed_before_the_run_began_are_entered_again",),
    ),
    Mutation(
        "the whole plan is claimed before the first agent",
        "parallel_impl.run.claims.claims:_take",
        "lambda places, hold, packages, say: []",
        ("tests/e2e/test_e2e_claims.py::test_a_halted_run_keeps_its_claims_until_cleanup_gives_them_up",),
    ),
    Mutation(
        "an abort keeps accepted work",
        "parallel_impl.run.resume.attempts:keep",
        "lambda repo, places, ref, watch=None: repo.delete_ref(ref, repo.ref(ref))",
        ("tests/run/test_run_abort.py::test_accepted_work_whose_attempt_has_no_ref_gets_one",),
    ),
    Mutation(
        "attempt numbers go on after an abort",
        "parallel_impl.run.resume.attempts:count_made",
        "lambda repo, places: {}",
        ("tests/run/test_run_abort.py::test_work_that_lay_elsewhere_stays_on_its_ref_and_its_number_is_taken",),
    ),
    Mutation(
        "cleanup removes nothing that is in no branch",
        "parallel_impl.run.inspect.cleanup:_Containment.holds",
        YES,
        ("tests/e2e/test_e2e_safety.py::test_cleanup_keeps_and_names_what_is_in_no_branch",),
    ),
    Mutation(
        "cleanup keeps a line of commits that no branch holds whole",
        "parallel_impl.run.inspect.cleanup:_Containment.holds_line",
        "_Containment.holds",
        ("tests/run/test_run_cleanup.py::test_work_elsewhere_is_kept_unless_all_of_it_is_contained",),
    ),
    Mutation(
        "cleanup keeps worktrees that could not be taken",
        "parallel_impl.run.inspect.cleanup:_clean_home",
        "lambda home, places, state, report, *, force: original(home, places, state, report, force=True)",
        ("tests/e2e/test_e2e_safety.py::test_a_worktree_that_cannot_be_taken_is_kept_whole_and_named",),
    ),
    Mutation(
        "the revised plan stays in force over starts",
        "parallel_impl.record.state:State.plan_commit",
        "property(lambda self: self.started.base if self.started else '')",
        ("tests/e2e/test_e2e_revision.py::test_an_edit_survives_a_second_halt_and_a_second_edit",),
    ),
    Mutation(
        "what an edit changed is done again with all that depends on it",
        "parallel_impl.record.state:State._outdate",
        NOTHING,
        ("tests/run/test_run_go_on.py::test_an_edit_is_kept_on_a_ref_and_what_it_changed_is_done_again",),
    ),
    Mutation(
        "what is accepted no more leaves the refs of accepted work",
        "parallel_impl.run.resume.go_on:_forget_outdated",
        NOTHING,
        (
            "tests/run/test_run_go_on.py"
            "::test_a_package_that_is_done_again_takes_what_builds_on_it_along_and_its_work_stays_on_its_attempts_ref",
        ),
    ),
    Mutation(
        "a plan of an ancestor is no edit",
        "parallel_impl.run.start.inputs:is_older_plan",
        NO,
        ("tests/run/test_run_edited_plan.py::test_a_plan_of_an_ancestor_is_no_edit",),
    ),
    Mutation(
        "an older configuration is no edit",
        "parallel_impl.run.start.configuration_edit:_is_older",
        NO,
        ("tests/run/test_run_configuration_edit.py::test_an_older_configuration_is_no_edit",),
    ),
    Mutation(
        "a run that never started leaves nothing",
        "parallel_impl.run.start.preflight:change_lock",
        "type('Lock', (), {**vars(original), 'forget': staticmethod(lambda places: None)})",
        ("tests/e2e/test_e2e_command_line.py::test_a_command_that_is_refused_leaves_nothing",),
    ),
    Mutation(
        "what a killed run left is entered to be read",
        "parallel_impl.views.entry:_make_read_only",
        NOTHING,
        ("tests/e2e/test_e2e_enter.py::test_a_package_at_work_is_entered_and_what_a_killed_run_left_is_read[copy]",),
    ),
    Mutation(
        "a clean-up looks at what views wrote",
        "parallel_impl.git.mounts:written",
        "lambda home: []",
        ("tests/e2e/test_e2e_enter.py::test_a_package_at_work_is_entered_and_what_a_killed_run_left_is_read[overlay]",),
    ),
)
