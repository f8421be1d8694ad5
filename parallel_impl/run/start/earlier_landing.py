"""A change that landed before, and whose run was cleaned up: the commits of its packages tell."""

from __future__ import annotations

from parallel_impl.errors import UserError, count, printable
from parallel_impl.git import earlier_work
from parallel_impl.openspec import single_plan
from parallel_impl.plan.reading import load
from parallel_impl.run.start import inputs
from parallel_impl.run.start.request import Request

SHOWN = 10  # packages


def is_there(request: Request) -> bool:
    """Whether the base of a run that is not there yet has all that is asked for; told then.

    With `--again` nothing is asked. What only a part of the packages did is told, and done again with the others.
    """
    options, places, say = request.options, request.places, request.listener.say
    if request.state.started:
        if options.again:
            say("--again: this run goes on; to give it up first: --abort")
        return False
    if options.again:
        return False
    try:
        base, came_from = inputs.find_base(request.repo, request.folder, places, options.base, request.state)
    except UserError:
        return False  # told later, with all else that is wrong
    done = earlier_work.find(request.repo, base, places.change_id)
    wanted = _wanted(request, base) if done else []
    found = {name: done[name] for name in wanted if name in done}
    if not found:
        return False
    names = ", ".join(f"{name} {commit[:12]}" for name, commit in list(found.items())[:SHOWN])
    names += f" and {len(found) - SHOWN} more" * (len(found) > SHOWN)
    if len(found) < len(wanted):
        say(printable(f"already in {came_from}, and done again with the others: {names}"))
        return False
    what = f"{places.change_id} is already in {came_from}: {count(len(found), 'package')}: {names}"
    say(printable(f"{what}\n  to redo it: parallel-implement {places.change_id} --again"))
    return True


def _wanted(request: Request, base: str) -> list[str]:
    """The packages that are asked for; none where there is no plan that can be read, which is told later."""
    options, places = request.options, request.places
    if options.single:
        return [single_plan.PACKAGE]
    plan, _ = load.load(request.repo.read(base, places.plan_file) or b"", places.plan_file)
    known = [package.id for package in plan.packages] if plan else []
    return [name for name in known if options.only in ("", name)]
