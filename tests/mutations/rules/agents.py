"""What agents and steps see, how they are contained and limited, and what never reaches the user's repository.

Decisions 1, 2, 14, 23 and 28.
"""

from __future__ import annotations

from tests.mutations.mutation import EMPTY, NO, NONE_OF_THEM, NOTHING, Mutation

ATTEMPT = "tests/run/test_run_attempt.py::test_"
CLIENT = "tests/agents/test_agents_client.py::test_"
ENVIRONMENT = "tests/leaves/test_environment.py::test_"
GATES = "tests/run/test_run_gate_runs.py::test_"
JUDGEMENT = "tests/agents/test_agents_judgement.py::test_"
NAMESPACE = "tests/processes/test_namespace.py::test_"
PROCESS = "tests/processes/test_process.py::test_"

MUTATIONS = (
    Mutation(
        "agents and steps see the allow-list",
        "parallel_impl.environment:ALLOWED",
        "('*',)",
        (f"{ENVIRONMENT}what_is_not_on_the_list_does_not_pass",),
    ),
    Mutation(
        "secrets pass by name only",
        "parallel_impl.environment:is_secret",
        NO,
        (f"{ENVIRONMENT}secrets_pass_only_when_named_and_only_to_agents",),
    ),
    Mutation(
        "what leads git elsewhere passes nowhere",
        "parallel_impl.environment:is_redirecting",
        NO,
        (f"{ENVIRONMENT}what_redirects_git_passes_nowhere[GIT_DIR]",),
    ),
    Mutation(
        "what programs execute passes nowhere",
        "parallel_impl.environment:is_executed",
        NO,
        (f"{ENVIRONMENT}what_programs_execute_passes_nowhere",),
    ),
    Mutation(
        "what git was told about another repository is dropped",
        "parallel_impl.environment:drop_git",
        "lambda variables: {}",
        (f"{ENVIRONMENT}what_git_was_told_about_another_repository_is_dropped_and_nothing_else",),
    ),
    Mutation(
        "steps see no secrets",
        "parallel_impl.run.start.run_spec:environment",
        "type('Environment', (), {**{name: staticmethod(one) for name, one in vars(original).items() if callable(one)},"
        " 'allowed': staticmethod(lambda inherited, *, secrets, **named:"
        " original.allowed(inherited, secrets=True, **named))})",
        ("tests/e2e/test_e2e_safety.py::test_agents_and_steps_see_the_allow_list_and_secrets_only_by_name",),
    ),
    Mutation(
        "set-up sees no secrets",
        "parallel_impl.run.attempt.attempt:make_ready",
        "lambda spec, launch, *given, **named:"
        " original(spec, replace(launch, env={**launch.env, **spec.agent_environment}), *given, **named)",
        (f"{ATTEMPT}set_up_and_steps_see_no_secret_and_agents_do",),
    ),
    Mutation(
        "gates see no secrets",
        "parallel_impl.run.gate_runs:equip",
        "lambda launch, spec, *given, **named: original(__import__('dataclasses').replace("
        "launch, env={**launch.env, **spec.agent_environment}), spec, *given, **named)",
        (f"{GATES}gates_run_on_the_tree_and_see_no_secret",),
    ),
    Mutation(
        "logs of steps are masked",
        "parallel_impl.run.attempt.attempt:_run_steps",
        "lambda attempt, launch, checkout, **named: original(attempt, replace(launch, mask=()), checkout, **named)",
        (f"{ATTEMPT}what_a_step_prints_is_masked_before_anybody_can_read_it",),
    ),
    Mutation(
        "logs of gates are masked",
        "parallel_impl.run.gate_runs:equip",
        "lambda launch, *given, **named: original(__import__('dataclasses').replace(launch, mask=()), *given, **named)",
        (f"{GATES}what_a_gate_prints_is_masked_before_anybody_can_read_it",),
    ),
    Mutation(
        "a secret is masked wherever a stream is cut",
        "parallel_impl.processes.output:Masked._whole",
        "lambda self, data: len(data)",
        (f"{PROCESS}secrets_are_masked_even_across_two_writes",),
    ),
    Mutation(
        "files that agents write are masked",
        "parallel_impl.storage:mask_files",
        NOTHING,
        ("tests/leaves/test_disk.py::test_secrets_are_masked_in_files_of_others_and_in_their_names",),
    ),
    Mutation(
        "steps cannot read the environment of the run's process",
        "parallel_impl.processes.procfs:forbid_tracing",
        NO,
        ("tests/e2e/test_e2e_containment.py::test_what_a_run_starts_cannot_read_its_environment",),
    ),
    Mutation(
        "an agent that loses its .git ends in no other repository",
        "parallel_impl.run.launch:replace",
        "lambda one, env=None, **named: original(one, env={name: value for name, value in env.items()"
        " if name != 'GIT_CEILING_DIRECTORIES'}) if env else original(one, **named)",
        (f"{ATTEMPT}an_agent_that_loses_its_git_ends_in_no_other_repository",),
    ),
    Mutation(
        "a worktree of its own, on a level of its own",
        "parallel_impl.git.checkout:folder_of",
        "lambda git_dir: git_dir.parent",
        ("tests/git/test_git_checkout.py::test_a_relative_path_out_of_a_worktree_meets_no_other_worktree",),
    ),
    Mutation(
        "what an agent does with git stays in its own repository",
        "parallel_impl.git.checkout:_write",
        "lambda path, content: original(path, content if path.name != 'commondir' else"
        " (path.parents[2] / 'objects/info/alternates').read_bytes().replace(b'/objects\\n', b'\\n'))",
        (f"{ATTEMPT}what_an_agent_does_with_git_reaches_no_repository_but_its_own",),
    ),
    Mutation(
        "an agent's push goes nowhere",
        "parallel_impl.git.checkout:_config",
        "lambda repo, identity: original(repo, identity).replace(b'pushurl', b'pushedurl')",
        ("tests/git/test_git_checkout.py::test_configuration_that_git_needs_is_carried_and_push_is_off",),
    ),
    Mutation(
        "hooks and monitors of the user's never run",
        "parallel_impl.git.repo:SWITCHED_OFF",
        "tuple(one for one in original if 'hooksPath' not in one)",
        ("tests/git/test_git_repo.py::test_a_program_that_the_user_configured_for_git_does_not_run",),
    ),
    Mutation(
        "monitors of the user's never run",
        "parallel_impl.git.repo:SWITCHED_OFF",
        "tuple(one for one in original if 'fsmonitor' not in one)",
        ("tests/git/test_git_repo.py::test_a_program_that_the_user_configured_for_git_does_not_run",),
    ),
    Mutation(
        "hooks that set-up installed do not run",
        "parallel_impl.git.hooks:switch_off",
        NOTHING,
        ("tests/git/test_git_throwaway_commits.py::test_hooks_that_set_up_installed_do_not_run",),
    ),
    Mutation(
        "replace refs of the user are ignored",
        "parallel_impl.git.repo:ENVIRONMENT",
        "{name: value for name, value in original.items() if name != 'GIT_NO_REPLACE_OBJECTS'}",
        ("tests/git/test_git_repo.py::test_what_the_user_replaced_is_read_as_it_is_committed",),
    ),
    Mutation(
        "nothing of an agent outlives it",
        "parallel_impl.processes.orphans:end_marked",
        NONE_OF_THEM,
        (f"{PROCESS}a_child_whose_start_is_interrupted_is_ended",),
    ),
    Mutation(
        "where there are no namespaces the run says so",
        "parallel_impl.run.start.run_spec:_uncontained",
        EMPTY,
        ("tests/e2e/test_e2e_containment.py::test_without_namespaces_the_run_says_so_and_ends_what_carries_its_mark",),
    ),
    Mutation(
        "caches give copies",
        "parallel_impl.gates.setup:COPIES",
        "{}",
        (
            "tests/gates/test_gates_setup.py"
            "::test_set_up_runs_in_its_folder_by_the_shell_and_its_environment_is_used_by_the_next_command",
        ),
    ),
    Mutation(
        "namespaces that hold nothing are not believed",
        "parallel_impl.processes.namespace:_trial",
        "lambda namespace: ('', Told(started=True, exit_code=0))",
        (f"{NAMESPACE}an_unshare_that_holds_nothing_is_not_believed",),
    ),
    Mutation(
        "a client that used no tool did no work",
        "parallel_impl.agents.dialect:judge",
        "lambda *given, **named: original(*given, **{**named, 'may_be_empty': True})",
        (f"{JUDGEMENT}no_tool_call_is_no_work_unless_the_package_may_be_empty",),
    ),
    Mutation(
        "exit code 0 alone is no success",
        "parallel_impl.agents.dialect:by_last_word",
        "lambda seen, ended, *, word: Judgement('', '')",
        (f"{JUDGEMENT}exit_code_0_without_a_last_word_is_a_failure",),
    ),
    Mutation(
        "with a key an agent has a HOME of its own",
        "parallel_impl.agents.client:_private",
        "lambda env, home: env",
        (f"{CLIENT}with_a_key_it_has_a_home_of_its_own_and_the_users_caches",),
    ),
    Mutation(
        "a key reaches its own agent alone",
        "parallel_impl.agents.selection:key_names",
        "lambda agents: frozenset()",
        ("tests/e2e/test_e2e_agents.py::test_the_key_reaches_the_agent_alone_and_a_dry_run_says_who_pays",),
    ),
    Mutation(
        "the built-in agent writes in its scope only",
        "parallel_impl.agents.drivers.reach:Reach.writable",
        "lambda self, path: self._real(path)",
        ("tests/agents/drivers/test_agents_drivers_tools.py::test_paths_are_judged_where_they_really_lead",),
    ),
    Mutation(
        "a limit of a provider costs no retry and starts nothing meanwhile",
        "parallel_impl.run.throttle:Throttle.refuse",
        "lambda self, package, now, **named: Refusal(now)",
        ("tests/run/test_run_throttle.py::test_a_limit_holds_until_the_provider_says_and_then_one_start_is_the_probe",),
    ),
    Mutation(
        "a limit that is used up starts nothing more",
        "parallel_impl.agents.spending:used_up",
        EMPTY,
        ("tests/run/test_run_admission.py::test_the_limit_of_a_run_counts_what_earlier_starts_used",),
    ),
    Mutation(
        "heavy work has slots",
        "parallel_impl.processes.slot_order:choose",
        "lambda *given, **named: 0",
        ("tests/processes/test_slot_order.py::test_everyone_gets_a_turn_and_nobody_is_beside_one_that_is_alone",),
    ),
    Mutation(
        "two checkouts have no port in common",
        "parallel_impl.run.ports:find",
        "lambda taken, count: 20000",
        ("tests/run/test_run_ports.py::test_two_checkouts_have_no_port_in_common_and_each_keeps_its_own",),
    ),
    Mutation(
        "agents are told how a folder is moved where rename(2) of it fails",
        "parallel_impl.agents.prompt:MOVES",
        "()",
        (
            "tests/agents/test_agents_prompt.py"
            "::test_where_a_folder_of_the_base_cannot_be_renamed_the_rules_say_how_it_is_moved",
        ),
    ),
    Mutation(
        "what a machine cannot rename reaches the prompt",
        "parallel_impl.run.attempt.prompt_context:Context",
        "lambda *given, **named: original(*given, **{**named, 'renames': True})",
        ("tests/run/test_run_prompt_context.py::test_a_prompt_knows_whether_a_folder_of_the_base_can_be_renamed",),
    ),
)
