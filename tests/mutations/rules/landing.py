"""What lands: only what is proven, only where the user agreed, and nothing that no package was allowed to write.

Decisions 5, 11, 20, 25 and 27.
"""

from __future__ import annotations

from tests.mutations.mutation import NONE_OF_THEM, NOTHING, Mutation

LAND = "tests/run/test_run_land.py::test_"

MUTATIONS = (
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
        "the user's checkouts are compared at the end",
        "parallel_impl.git.users_checkouts:UsersCheckouts.compare",
        "lambda self: []",
        (
            "tests/e2e/test_e2e_feature_branch.py"
            "::test_what_became_of_the_users_checkouts_is_reported_and_in_the_summary",
        ),
    ),
    Mutation(
        "nothing lands with a red gate",
        "parallel_impl.gates.verdict:GateVerdict.blocks",
        "property(lambda self: False)",
        (f"{LAND}a_red_gate_lands_nothing_and_leaves_the_candidate_where_it_can_be_looked_at",),
    ),
    Mutation(
        "nothing lands that is not proven",
        "parallel_impl.run.land.land:_accept",
        NOTHING,
        (f"{LAND}a_red_gate_lands_nothing_and_leaves_the_candidate_where_it_can_be_looked_at",),
    ),
    Mutation(
        "the proven commit is on its ref before the branch moves",
        "parallel_impl.run.land.land:_accept",
        "lambda run, candidate, proven: run.record(e.CandidateProven(at=now(), commit=candidate, by=proven.by))",
        (f"{LAND}the_branch_becomes_exactly_the_proven_candidate",),
    ),
    Mutation(
        "a candidate that is on the branch counts only when it is proven",
        "parallel_impl.run.land.land:_is_taken",
        "lambda run, tip, candidate: bool(tip) and (setattr(run.state, 'proven', tip) or True)",
        (f"{LAND}a_candidate_that_is_on_the_branch_already_is_proven_before_it_counts",),
    ),
    Mutation(
        "what is taken is the work that is accepted",
        "parallel_impl.run.land.land:_is_taken",
        "lambda run, tip, candidate: feature_branch.is_taken(run.workspace.repo, run.state, tip)",
        (f"{LAND}a_commit_that_only_the_journal_calls_proven_does_not_land",),
    ),
    Mutation(
        "all packages have to be accepted",
        "parallel_impl.run.land.assemble:blocking",
        "lambda state, names: {}",
        (f"{LAND}a_package_that_was_not_accepted_halts_and_is_named_with_its_reason",),
    ),
    Mutation(
        "--only never lands",
        "parallel_impl.run.land.assemble:find_obstacle",
        "lambda run, only: original(run, None)",
        (f"{LAND}only_never_lands",),
    ),
    Mutation(
        "a run in which nothing changed does not land",
        "parallel_impl.run.land.assemble:find_obstacle",
        "lambda run, only:"
        " found if (found := original(run, only)) is None or found[0] is not Halt.NO_CHANGES else None",
        (f"{LAND}what_nobody_changed_does_not_land_and_who_changed_nothing_is_counted",),
    ),
    Mutation(
        "a branch that is checked out is not moved",
        "parallel_impl.run.land.land:_check_not_checked_out",
        NOTHING,
        (f"{LAND}a_branch_that_is_checked_out_is_not_moved",),
    ),
    Mutation(
        "the branch moves by compare-and-swap",
        "parallel_impl.git.repo:Repo.update_ref",
        "lambda self, name, new, old: self.set_ref(name, new)",
        ("tests/git/test_git_repo.py::test_a_ref_that_moved_meanwhile_is_not_moved",),
    ),
    Mutation(
        "the branch is looked at again after the gates",
        "parallel_impl.run.land.land:_check_branch",
        "lambda run, candidate, proven=None: run.workspace.repo.ref(run.workspace.places.branch_ref) or ''",
        (f"{LAND}a_branch_that_moves_while_gates_run_halts_with_everything_proven",),
    ),
    Mutation(
        "consent is to exactly that commit",
        "parallel_impl.run.feature_branch:find_move",
        "lambda repo, places, state, base: None if state.consented else original(repo, places, state, base)",
        ("tests/run/test_run_feature_branch.py::test_consent_is_to_exactly_that_commit",),
    ),
    Mutation(
        "plan and configuration are read from no commit that nobody agreed to",
        "parallel_impl.run.feature_branch:agreed",
        "lambda repo, places, state: repo.ref(places.branch_ref) or ''",
        (
            "tests/run/test_run_feature_branch.py"
            "::test_plan_and_configuration_are_read_from_no_commit_that_nobody_agreed_to",
        ),
    ),
    Mutation(
        "names of objects are looked at before they land",
        "parallel_impl.run.land.foreign:_objects",
        NOTHING,
        (f"{LAND}an_object_that_is_not_what_its_name_says_does_not_land",),
    ),
    Mutation(
        "a conflict with the moved branch lands nothing",
        "parallel_impl.git.repo:Repo.merge",
        "lambda self, ours, theirs: (original(self, ours, theirs)[0] or self.tree(theirs), [])",
        (f"{LAND}a_conflict_with_the_moved_branch_halts_and_names_the_paths",),
    ),
    Mutation(
        "a change of the repository that halts starts nothing more",
        "parallel_impl.run.run:Run.look_at_repository",
        NOTHING,
        ("tests/run/test_run_runner.py::test_a_change_of_the_repository_that_halts_starts_nothing_more",),
    ),
    Mutation(
        "the repository is compared before anything is put together",
        "parallel_impl.run.run:Run.look_at_repository",
        "lambda self, ended='': original(self, ended) if ended or self.state.run == 'proving' else None",
        (f"{LAND}the_repository_is_compared_before_anything_is_put_together",),
    ),
    Mutation(
        "refs of the run are watched",
        "parallel_impl.git.watch:Watch._refs",
        NONE_OF_THEM,
        ("tests/git/test_git_watch.py::test_our_own_refs_are_expected_and_any_other_value_is_not",),
    ),
    Mutation(
        "configuration that runs programs is watched",
        "parallel_impl.git.watch:Watch._config",
        NONE_OF_THEM,
        ("tests/git/test_git_watch.py::test_the_users_own_configuration_file_is_watched",),
    ),
    Mutation(
        "hooks are watched",
        "parallel_impl.git.watch:Watch._hooks",
        NONE_OF_THEM,
        ("tests/git/test_git_watch.py::test_hooks_halt",),
    ),
    Mutation(
        "what was tampered with halts",
        "parallel_impl.git.watch:HALTING",
        "()",
        ("tests/run/test_run_runner.py::test_a_change_of_the_repository_that_halts_starts_nothing_more",),
    ),
    Mutation(
        "only boxes of accepted packages are ticked",
        "parallel_impl.run.land.ticking:tick",
        "lambda run, candidate, *given: candidate",
        (
            "tests/run/test_run_ticking.py::test_the_last_commit_ticks_the_tasks_of_accepted_packages_and_the_rest_is_listed",
        ),
    ),
    Mutation(
        "no failure of the forge undoes a landing",
        "parallel_impl.run.command:_publish",
        "lambda asked, listener, *, wanted, stopped: publish.pull_request(asked, listener) if wanted else None",
        (
            "tests/e2e/test_e2e_pages.py"
            "::test_without_a_forge_and_without_a_remote_a_run_that_wants_a_pull_request_lands_and_says_what_is_not_done",
        ),
    ),
    Mutation(
        "a remote that has more than was proven is not overwritten",
        "parallel_impl.git.remotes:Remote.push",
        "lambda self, branch, commit: (self._move(branch, commit, old := self.tip(branch)), old)[1]",
        ("tests/git/test_git_publishing.py::test_a_remote_that_went_another_way_is_an_error_with_the_line_to_type",),
    ),
    Mutation(
        "agents' words do nothing in a pull request",
        "parallel_impl.forge.escape:inert",
        "lambda text: text",
        ("tests/forge/test_forge_body.py::test_agents_words_do_nothing_and_hold_no_secret",),
    ),
    Mutation(
        "no secret stands in a pull request",
        "parallel_impl.forge.escape:masked",
        "lambda text, secrets: text",
        ("tests/forge/test_forge_body.py::test_agents_words_do_nothing_and_hold_no_secret",),
    ),
    Mutation(
        "what a person must look at first is a draft",
        "parallel_impl.forge.content:draft_reasons",
        "lambda content: ()",
        ("tests/forge/test_forge_body.py::test_it_is_a_draft_where_a_person_must_look_first",),
    ),
    Mutation(
        "a pull request without our mark is somebody else's",
        "parallel_impl.forge.marker:run_of",
        "lambda body, change_id, part=1: 'ours'",
        (
            "tests/forge/test_forge_pull_request.py::test_a_pull_request_without_our_mark_is_never_edited_nor_its_branch_pushed",
        ),
    ),
    Mutation(
        "a token goes to its host alone",
        "parallel_impl.forge.credentials:_variables",
        "lambda address, environment: ('GH_TOKEN', 'GITHUB_TOKEN', 'GITLAB_TOKEN', 'GH_ENTERPRISE_TOKEN')",
        ("tests/forge/test_forge_credentials.py::test_no_other_host_gets_it",),
    ),
    Mutation(
        "checks without an answer have not passed",
        "parallel_impl.forge.checks:judge",
        "lambda answers, required: ChecksVerdict.PASSED",
        ("tests/forge/test_forge_pull_request.py::test_without_any_answer_nothing_has_passed",),
    ),
    Mutation(
        "a check of texts proves nothing",
        "parallel_impl.run.land.proof:Proof.by",
        "property(lambda self: tuple(row.name for row in self.rows if row.verdict == VerdictStatus.PASSED))",
        ("tests/run/test_run_proof.py::test_a_check_of_texts_proves_nothing_and_says_who_made_it",),
    ),
    Mutation(
        "a branch of another history is refused before an agent is paid",
        "parallel_impl.git.repo:Repo.share_history",
        "lambda self, one, other: True",
        ("tests/e2e/test_e2e_ways_out.py::test_a_branch_of_another_history_is_refused_before_an_agent_is_paid",),
    ),
)
