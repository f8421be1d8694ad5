"""Prints lines for the person or program that started the command, as long as they are read."""

from __future__ import annotations

import json
import os
import sys

import click

from parallel_impl.cli import ci


def put(text: str | bytes, *, err: bool = False) -> None:
    """Print a line. Where nobody reads any more (a closed pipe, a terminal that is gone) a run goes on without.

    No CI runner takes a command of it; bytes are JSON, of which `ci.guarded_json` saw to that. The journal and the
    summary have all that is printed; why printing failed is reported where that is possible.
    """
    try:
        click.echo(ci.guarded(text, os.environ) if isinstance(text, str) else text, err=err)
    except OSError as error:
        stream = sys.stderr if err else sys.stdout
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # also for what is still in the buffer
        os.close(nowhere)
        if not err:
            put(f"nothing more is printed on stdout: {error.strerror}", err=True)


def put_json(value: object, *, indent: int | None = None) -> None:
    """Print a value as ASCII JSON, on one line without `indent`, in which no CI runner finds a command."""
    put(ci.guarded_json(json.dumps(value, indent=indent).encode()))


def echo(text: str, *, nl: bool = True, err: bool = False) -> None:
    """Print what others wrote, of which no CI runner takes a command; OSError when nobody reads any more."""
    shown = ci.guarded(text, os.environ)
    click.echo(shown, nl=nl or shown != text, err=err)
