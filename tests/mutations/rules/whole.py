"""What is known before an agent is paid, how accepted work is put together, and what its gates' verdicts mean.

Decisions 3, 6, 7, 11, 17 and 19.
"""

from __future__ import annotations

from tests.mutations.mutation import EMPTY, NO, NONE_OF_THEM, NOTHING, Mutation

GATES = "tests/run/test_run_gate_runs.py::test_"
KNOWN = "tests/e2e/test_e2e_known.py::test_"
UNION = "tests/git/test_git_union.py::test_"
VERDICT = "tests/gates/test_gates_verdict.py::test_"
VERDICTS = "tests/e2e/test_e2e_verdicts.py::test_"

MUTATIONS = (
    Mutation(
        "parallel packages do not overlap",
        "parallel_impl.plan.conflicts:_scope",
        NOTHING,
        ("tests/plan/test_plan_conflicts.py::test_scopes_that_overlap_conflict_with_a_path_to_show_it",),
    ),
    Mutation(
        "parallel packages lock no key together",
        "parallel_impl.plan.conflicts:_keys",
        NOTHING,
        ("tests/plan/test_plan_conflicts.py::test_lock_keys_are_compared_with_their_wildcards",),
    ),
    Mutation(
        "what could not be compared is an error",
        "parallel_impl.plan.conflicts:_undecided",
        "lambda *given: __import__('dataclasses').replace(original(*given), severity='warning')",
        ("tests/plan/test_plan_conflicts.py::test_a_comparison_that_was_given_up_is_an_error",),
    ),
    Mutation(
        "a branch that leaves no room is refused before an agent is paid",
        "parallel_impl.run.start.inputs:branch_problems",
        NONE_OF_THEM,
        (f"{KNOWN}a_branch_that_leaves_no_room_for_the_one_that_lands_is_refused_before_anything_runs",),
    ),
    Mutation(
        "programs of steps are looked up before an agent is paid",
        "parallel_impl.gates.programs:check",
        "lambda *given, **named: []",
        (
            "tests/e2e/test_e2e_fixtures.py::test_a_step_whose_program_set_up_did_not_make_is_refused_before_an_agent_starts",
        ),
    ),
    Mutation(
        "a gate that is broken on the base halts before an agent is paid",
        "parallel_impl.run.on_base:OnBase.broken",
        EMPTY,
        (f"{KNOWN}a_gate_that_is_broken_on_the_base_halts_before_an_agent_is_paid",),
    ),
    Mutation(
        "agents start when the gates on the base have ended",
        "parallel_impl.run.runner:_wait_for_base",
        NOTHING,
        (f"{KNOWN}a_gate_that_is_broken_on_the_base_halts_before_an_agent_is_paid",),
    ),
    Mutation(
        "folders that cannot be written are named before an agent is paid",
        "parallel_impl.run.start.writable:_problems",
        NONE_OF_THEM,
        ("tests/e2e/test_e2e_access.py::test_all_folders_that_cannot_be_written_are_named_at_once",),
    ),
    Mutation(
        "a partial clone is refused",
        "parallel_impl.git.suitability:_partial",
        NONE_OF_THEM,
        ("tests/git/test_git_checkout.py::test_a_partial_clone_is_refused_with_the_line_that_makes_it_whole",),
    ),
    Mutation(
        "without room for checkouts nothing starts",
        "parallel_impl.git.home:shortage",
        EMPTY,
        (
            "tests/run/test_run_capabilities.py"
            "::test_without_room_for_all_jobs_one_is_left_and_without_room_for_one_nothing_starts",
        ),
    ),
    Mutation(
        "a package's base is made in topological order",
        "parallel_impl.plan.order:Order.dependencies",
        "lambda self, name, *, transitive=True: original(self, name, transitive=transitive)[::-1]",
        ("tests/run/test_run_runner.py::test_an_attempt_is_given_the_work_that_it_builds_on_in_topological_order",),
    ),
    Mutation(
        "what a later package did to an earlier one's file wins",
        "parallel_impl.git.union:base_of",
        "lambda repo, run_base, layers, *given, **named: original(repo, run_base, layers[::-1], *given, **named)",
        (f"{UNION}in_the_base_of_a_package_a_later_dependencys_version_of_an_earlier_ones_file_counts",),
    ),
    Mutation(
        "a file against a folder is a clash",
        "parallel_impl.git.union:_below_files",
        NONE_OF_THEM,
        (f"{UNION}what_a_package_deletes_that_builds_on_both_hides_no_clash",),
    ),
    Mutation(
        "twins of two packages are a clash",
        "parallel_impl.git.union:_twins",
        NONE_OF_THEM,
        (f"{UNION}files_against_directories_and_twins_clash_and_both_packages_are_named",),
    ),
    Mutation(
        "nothing starts on work that does not stand in one tree",
        "parallel_impl.run.runner:_look_for_clash",
        NOTHING,
        (
            "tests/run/test_run_runner.py"
            "::test_nothing_starts_on_work_that_does_not_stand_in_one_tree_in_a_later_start_neither",
        ),
    ),
    Mutation(
        "a kept gate report counts for the same gates",
        "parallel_impl.run.gate_runs:look",
        "lambda spec, workspace, launch, commit, *, known=None, **named:"
        " (known or {}).get(workspace.repo.tree(commit)) or original(spec, workspace, launch, commit, **named)",
        (f"{GATES}what_is_known_of_a_tree_counts_for_the_same_gates_only",),
    ),
    Mutation(
        "a gate that failed on a full disk is no verdict",
        "parallel_impl.run.gate_runs:storage",
        "type('Storage', (), {'check_full': staticmethod(lambda *folders: None)})",
        (f"{GATES}what_fails_on_a_full_disk_is_no_verdict",),
    ),
    Mutation(
        "a gate changes nothing that it judges",
        "parallel_impl.run.undisturbed:_named",
        "lambda found, gate, edits: {gate.name: found[gate.name]}",
        (f"{GATES}a_gate_that_edits_what_it_judges_is_broken",),
    ),
    Mutation(
        "gates beside foreign files are not believed",
        "parallel_impl.run.gate_runs:_unproven",
        "lambda report, around: report",
        (f"{GATES}what_ran_beside_foreign_files_is_not_believed",),
    ),
    Mutation(
        "the gates on the base end with the run",
        "parallel_impl.run.on_base:Stop",
        "type('NeverSet', (original,), {'set': lambda self: None})",
        ("tests/run/test_run_on_base.py::test_gates_on_the_base_end_with_the_run",),
    ),
    Mutation(
        "what ran on the base beside foreign files shows nothing",
        "parallel_impl.run.spec:Workspace.foreign",
        "lambda self, checkout=None, *, usual=(): []",
        ("tests/run/test_run_on_base.py::test_what_ran_beside_foreign_files_shows_nothing",),
    ),
    Mutation(
        "new failures block",
        "parallel_impl.gates.verdict:_sorted",
        "lambda base, candidate, again: GateVerdict(candidate.gate, VerdictStatus.PASSED)",
        (f"{VERDICT}one_test_of_an_unchanged_file",),
    ),
    Mutation(
        "new findings block",
        "parallel_impl.gates.verdict:_findings",
        "lambda base, candidate: ((), 0)",
        (f"{VERDICT}findings_are_compared_as_multisets_and_never_by_line",),
    ),
    Mutation(
        "a verdict speaks only of what ran",
        "parallel_impl.gates.gate_report:GateReport.stopped",
        "property(lambda self: '', lambda self, value: None)",
        (f"{VERDICT}a_session_that_stopped_early_proves_nothing_on_either_side",),
    ),
    Mutation(
        "an exit code that no failure explains is not proven",
        "parallel_impl.gates.verdict:_unexplained",
        "lambda base, candidate, again: (VerdictStatus.PASSED, '')",
        (f"{VERDICT}output_that_nobody_reads",),
    ),
    Mutation(
        "what is not proven, flaky or gone blocks",
        "parallel_impl.gates.verdict:BLOCKING",
        "(VerdictStatus.FAILED,)",
        (f"{VERDICTS}a_gate_that_stops_at_an_old_failure_proves_nothing_and_says_what_to_write",),
    ),
    Mutation(
        "a failure that the base shows only once excuses nothing",
        "parallel_impl.gates.verdict:to_confirm_on_base",
        NONE_OF_THEM,
        (f"{VERDICT}only_failures_run_again_and_on_the_base_only_those_of_both_sides",),
    ),
    Mutation(
        "a test that is gone from an unchanged file blocks",
        "parallel_impl.gates.lost_tests:find",
        "lambda base, candidate, changed: LostTests()",
        (f"{VERDICT}a_changed_file_that_runs_fewer_passing_tests_lost_some",),
    ),
    Mutation(
        "only files that packages changed may lose tests",
        "parallel_impl.run.land.proof:ChangedPaths",
        "lambda changed, removed:"
        " original(type('All', (frozenset,), {'__contains__': lambda *_: True})(changed), removed)",
        (f"{VERDICTS}a_test_that_is_gone_from_a_file_that_nobody_changed_blocks",),
    ),
    Mutation(
        "a gate that ran no test proves nothing",
        "parallel_impl.gates.gate_report:GateReport.ran",
        "property(lambda self: self.tests or (None,))",
        (f"{VERDICT}a_gate_that_ran_nothing_is_not_run_and_red_where_the_base_had_tests",),
    ),
    Mutation(
        "a changed judge is named and the base's asked too",
        "parallel_impl.run.land.judges:find",
        "lambda run, candidate: {}",
        ("tests/e2e/test_e2e_judges.py::test_a_package_that_changed_its_own_judge_is_judged_by_the_bases_too",),
    ),
    Mutation(
        "new failures are never acceptable",
        "parallel_impl.run.land.acceptance:_listed",
        "lambda status, of, shown=_as_it_is: {FLAKY: (), **original(status, of, shown)}",
        ("tests/run/test_run_acceptance.py::test_what_cannot_be_accepted_is_refused",),
    ),
    Mutation(
        "what is accepted by name is what was listed",
        "parallel_impl.run.land.acceptance:_covers",
        "lambda accepted, ids: accepted is not None",
        ("tests/run/test_run_acceptance.py::test_what_is_new_in_a_later_verdict_blocks_again",),
    ),
    Mutation(
        "tests of packages' own steps are asked for on the whole",
        "parallel_impl.run.own_tests:OwnTests.missing",
        "lambda self, reports: {}",
        ("tests/run/test_run_own_tests.py::test_only_tests_that_no_gate_ran_are_missing",),
    ),
    Mutation(
        "without room for a layer nothing starts, and what makes room is named",
        "parallel_impl.run.start.layer_room:_is_full",
        NO,
        ("tests/run/test_run_layer_room.py::test_a_disk_that_is_full_while_the_layer_is_made_is_that",),
    ),
    Mutation(
        "checkouts that share a layer need no room of their own",
        "parallel_impl.run.start.capabilities:check",
        "lambda *given, shared=False, **named: original(*given, **named)",
        ("tests/run/test_run_capabilities.py::test_checkouts_that_share_a_layer_need_no_room_of_their_own",),
    ),
)
