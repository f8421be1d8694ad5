"""Entry points of the installed commands, and the one place where exceptions become exit codes.

0 done · 1 finished, not everything landed · 2 the input or the repository is not usable · 3 a bug, with a
traceback in a log file · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import NoReturn

import click

from parallel_impl import __version__, environment, storage
from parallel_impl.cli.cleanup import cleanup as cleanup_command
from parallel_impl.cli.doctor import doctor
from parallel_impl.cli.enter import enter
from parallel_impl.cli.implement import implement as implement_command
from parallel_impl.cli.init import init
from parallel_impl.cli.logs import logs
from parallel_impl.cli.output import put
from parallel_impl.cli.plan import plan as plan_command
from parallel_impl.cli.pr import pr
from parallel_impl.cli.runs import runs
from parallel_impl.cli.show import show
from parallel_impl.cli.status import status
from parallel_impl.cli.validate import validate
from parallel_impl.errors import UserError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-impl status; each command has its own --help",
)
@click.version_option(__version__, prog_name="parallel-impl")
def group() -> None:
    """Run one coding agent per work package of an approved OpenSpec change; land only what is proven."""


group.add_command(implement_command)
group.add_command(cleanup_command)
group.add_command(plan_command)
group.add_command(validate)
group.add_command(status)
group.add_command(show)
group.add_command(logs)
group.add_command(enter)
group.add_command(runs)
group.add_command(init)
group.add_command(doctor)
group.add_command(pr)


for program in group.commands.values():
    own = program in (implement_command, cleanup_command, plan_command)
    click.version_option(__version__, prog_name=f"parallel-{program.name}" if own else f"parallel-impl {program.name}")(
        program
    )


def umbrella() -> NoReturn:
    """The command `parallel-impl`."""
    _main(group)


def implement() -> NoReturn:
    """The command `parallel-implement`."""
    _main(implement_command)


def cleanup() -> NoReturn:
    """The command `parallel-cleanup`."""
    _main(cleanup_command)


def plan() -> NoReturn:
    """The command `parallel-plan`."""
    _main(plan_command)


def _main(command: click.Command) -> NoReturn:
    dropped = environment.drop_git(os.environ)
    try:
        code = command.main(standalone_mode=False, obj=dropped)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        put("interrupted", err=True)
        sys.exit(130)
    except UserError as error:
        for problem in error.problems:
            put(str(problem), err=True)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has gone: end quietly
        sys.exit(1)
    except Exception as error:  # the only such clause: what nobody answered is the machine's fault or a bug
        if isinstance(error, OSError) and (told := storage.problem(error) or storage.misplaced(error)):
            put(str(told), err=True)
            sys.exit(2)
        put(f"this is a bug in parallel-implement; nothing was lost. Please report {_log_bug()}", err=True)
        sys.exit(3)


def _log_bug() -> str:
    """Write the traceback where the user can find it; the file's path, or all of it where nothing can be written."""
    name = f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    told = f"parallel-implement {__version__}, Python {sys.version}\n\n{traceback.format_exc()}"
    try:
        state = storage.state_directory()
        state.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(told)
    except (OSError, UserError) as error:
        return f"this (it could not be written to a file: {error}):\n{told}"
    return str(state / name)
