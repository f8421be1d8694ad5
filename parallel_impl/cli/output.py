"""Prints lines for the person or program that started the command, as long as they are read."""

from __future__ import annotations

import json
import os
import sys

import click

from parallel_impl.cli import ci


def put(text: str | bytes, *, err: bool = False) -> None:
    """Print a line. Where nobody reads any more (a closed pipe, a terminal that is gone) a run goes on without.

    The journal and the summary have all that is printed; why printing failed is reported where that is possible.
    """
    try:
        click.echo(text, err=err)
    except OSError as error:
        stream = sys.stderr if err else sys.stdout
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # also for what is still in the buffer
        os.close(nowhere)
        if not err:
            put(f"nothing more is printed on stdout: {error.strerror}", err=True)


def put_json(value: object) -> None:
    """Print a value as one line of ASCII JSON, in which no CI runner finds a command."""
    put(ci.guarded_json(json.dumps(value).encode()))


def echo(text: str, *, nl: bool = True) -> None:
    """Print what others wrote, of which no CI runner takes a command; OSError when nobody reads any more."""
    shown = ci.guarded(text, os.environ)
    click.echo(shown, nl=nl or shown != text)
