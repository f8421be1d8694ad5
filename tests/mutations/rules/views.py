"""What views and layers promise: set-up counts where its inputs are the same, and nothing but the upper is work.

Decisions 2, 4 and 17, as views of layers keep them.
"""

from __future__ import annotations

from tests.mutations.mutation import EMPTY, NOTHING, YES, Mutation

INPUTS = "tests/gates/test_gates_setup_inputs.py::test_"
LAYER = "tests/git/test_git_layer.py::test_"
MOUNTPOINTS = "tests/git/test_git_mountpoints.py::test_"
RUNNER = "tests/run/test_run_runner.py::test_"
UPPER = "tests/views/test_views_upper.py::test_"
VIEW = "tests/git/test_git_view.py::test_"
WHOLE = "tests/e2e/test_e2e_views.py::test_"
# the seal is looked at nowhere while a function runs
UNSEALED = (
    "lambda self, *given: (lambda kept: [setattr(PreparedLayer, 'changed', lambda self: ''), original(self, *given),"
    " setattr(PreparedLayer, 'changed', kept)][1])(PreparedLayer.changed)"
)

MUTATIONS = (
    Mutation(
        "a layer serves no commit with other inputs",
        "parallel_impl.gates.setup_inputs:reason",
        EMPTY,
        (f"{INPUTS}a_file_that_set_up_read_is_an_input",),
    ),
    Mutation(
        "a layer serves no commit with other inputs",
        "parallel_impl.run.start.mounting:_reason",
        EMPTY,
        (f"{WHOLE}set_up_runs_once_for_all_checkouts_and_again_where_its_input_changed",),
    ),
    Mutation(
        "a layer serves no commit with other inputs",
        "parallel_impl.git.mounts:Mounts.inputs",
        "lambda self, mounted: {}",
        (f"{VIEW}a_set_up_is_seen_to_read_what_it_reads_and_nothing_that_git_does",),
    ),
    Mutation(
        "a view shows only its own checkout and no layer",
        "parallel_impl.git.mounts:View",
        "lambda *given, covers=(), **named: original(*given, **named)",
        (f"{MOUNTPOINTS}a_view_shows_of_all_checkouts_and_layers_only_its_own",),
    ),
    Mutation(
        "a layer is looked at before it is used again",
        "parallel_impl.git.mounts:Mounts.begin",
        UNSEALED,
        (f"{VIEW}a_kept_layer_that_was_changed_serves_no_run",),
    ),
    Mutation(
        "a layer is looked at before what was proven on it lands",
        "parallel_impl.git.mounts:Mounts.take_out_changed",
        UNSEALED,
        (f"{WHOLE}a_changed_layer_halts_and_what_was_verified_on_it_is_judged_again_without_an_agent",),
    ),
    Mutation(
        "a layer is looked at before what was proven on it lands",
        "parallel_impl.run.run:Run.look_at_layers",
        EMPTY,
        (f"{WHOLE}a_changed_layer_halts_and_what_was_verified_on_it_is_judged_again_without_an_agent",),
    ),
    Mutation(
        "a seal tells of every edit",
        "parallel_impl.git.layer:PreparedLayer.changed",
        EMPTY,
        (f"{LAYER}a_layer_that_was_changed_is_told_by_the_path",),
    ),
    Mutation(
        "what was verified on a changed layer is judged again",
        "parallel_impl.record.state:State._doubt",
        NOTHING,
        (f"{WHOLE}a_changed_layer_halts_and_what_was_verified_on_it_is_judged_again_without_an_agent",),
    ),
    Mutation(
        "work is read from the upper of its own attempt",
        "parallel_impl.views.upper:read",
        "lambda view: original(__import__('dataclasses').replace(view, upper=str("
        "min(view.store.glob('views/*/*/upper'), default=view.store / view.upper).relative_to(view.store))))",
        (f"{VIEW}git_works_in_a_view_as_in_a_checkout",),
    ),
    Mutation(
        "whoever worked below its view is found",
        "parallel_impl.git.mounts:Mounts._look",
        NOTHING,
        (f"{MOUNTPOINTS}the_folder_below_one_view_tells_who_left_it",),
    ),
    Mutation(
        "whoever worked below its view is found",
        "parallel_impl.git.mounts:Mounts._look_around",
        NOTHING,
        (f"{MOUNTPOINTS}the_folder_below_all_views_tells_that_one_of_them_did",),
    ),
    Mutation(
        "whoever worked below its view is found",
        "parallel_impl.run.run:Run.look_below_views",
        EMPTY,
        (f"{RUNNER}no_attempt_alive_is_accepted_once_something_left_its_view_and_none_costs_a_retry",),
    ),
    Mutation(
        "what lies below a view is kept",
        "parallel_impl.git.mountpoints:empty",
        NOTHING,
        (f"{MOUNTPOINTS}a_view_that_ends_is_looked_at_before_its_level_is_removed_or_kept",),
    ),
    Mutation(
        "a layer that a run uses is not removed",
        "parallel_impl.git.layer:LayerHold.is_last",
        YES,
        (f"{LAYER}the_least_recently_used_layer_goes_first_and_never_one_in_use",),
    ),
    Mutation(
        "marks in an upper lead nowhere but into its layers",
        "parallel_impl.views.upper:_leads_inside",
        YES,
        (f"{UPPER}a_mark_that_leads_out_of_the_layers_is_not_followed",),
    ),
    Mutation(
        "only what the user's own ids can write is shown in a view",
        "parallel_impl.git.mounts:make_own",
        "lambda folder: folder.mkdir(parents=True, exist_ok=True)",
        (f"{VIEW}what_a_view_shows_and_writes_is_of_the_users_own_group_and_lies_on_one_file_system",),
    ),
    Mutation(
        "where something converts files git writes the work",
        "parallel_impl.git.trees:Trees.is_plain",
        YES,
        ("tests/git/test_git_filters.py::test_nothing_is_staged_past_a_filter_that_fails_required_or_not",),
    ),
    Mutation(
        "objects of the work are looked up when its ref is set",
        "parallel_impl.run.attempt.take_work:_check_objects",
        NOTHING,
        ("tests/run/test_run_take_work.py::test_work_whose_objects_vanish_is_taken_again",),
    ),
    Mutation(
        "only what lock files settle serves other runs",
        "parallel_impl.gates.setup_inputs:_is_locked",
        YES,
        (f"{INPUTS}only_what_a_lock_file_settles_is_kept_for_other_runs",),
    ),
    Mutation(
        "what is one checkout's own is set up in no other",
        "parallel_impl.gates.setup_inputs:_names_own",
        'lambda *given, **named: ""',
        (f"{INPUTS}a_set_up_that_names_what_is_the_checkouts_own_serves_no_other",),
    ),
    Mutation(
        "a layer that untaken work was done on is not removed",
        "parallel_impl.git.layer:wanted",
        "lambda store, home=None: set()",
        (f"{LAYER}emptying_names_what_is_used_needed_or_being_made_and_removes_the_rest",),
    ),
)
