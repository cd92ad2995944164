"""Putting the commands together: the core's own, then those that plugins register."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from qdynbench import __version__
from qdynbench.cli import (
    calibrate,
    check,
    clean,
    compare,
    export,
    info,
    list_,
    new,
    page,
    plugins,
    report,
    run,
    show,
    verify,
)
from qdynbench.plugins.registry import Entry, Registry

COMMANDS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("run", run.run),
    ("compare", compare.compare),
    ("report", report.report),
    ("page", page.page),
    ("export", export.export),
    ("list", list_.list_),
    ("show", show.show),
    ("check", check.check),
    ("new", new.new),
    ("verify", verify.verify),
    ("calibrate", calibrate.calibrate),
    ("plugins", plugins.plugins),
    ("clean", clean.clean),
    ("info", info.info),
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"qdynbench {__version__}")
        raise typer.Exit


def build(arguments: Sequence[str]) -> Callable[..., Any]:
    """Return the command line for these arguments.

    Plugins are looked for only when the command is not one of the core's, or when all commands are to be listed.
    """
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,  # plain help, which is there at once: importing rich takes as long as all the rest
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 110},
    )
    app.callback()(_options)
    for name, function in COMMANDS:
        app.command(name)(function)
    own = {name for name, _ in COMMANDS}
    if not arguments or arguments[0] not in own:
        for entry in Registry.discover().entries["commands"].values():
            if entry.name not in own:
                _add(app, entry, loaded=bool(arguments) and arguments[0] == entry.name)
    return typer.main.get_command(app)


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Accuracy against real cost for solvers of quantum spin dynamics."""


def _add(app: typer.Typer, entry: Entry, *, loaded: bool) -> None:
    if not loaded:  # only listed: its code is not imported
        app.command(entry.name, help=entry.summary)(lambda: None)
        return
    target = entry.load()
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=entry.name, help=entry.summary)
    else:
        app.command(entry.name, help=entry.summary)(target)
