"""The command line's reference, from the command line itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from qdynbench.cli.app import build


class Commands(SphinxDirective):
    """All commands with their arguments and options."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each command."""
        app = build([])
        assert isinstance(app, click.Group)  # noqa: S101 - for the type checker
        text = "\n".join(line for name in app.commands for line in described(f"qdynbench {name}", loaded(name)))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def loaded(name: str) -> click.Command:
    """Return a command with its options: in a list of all, those of plugins are not imported."""
    app = build([name])
    assert isinstance(app, click.Group)  # noqa: S101 - for the type checker
    return app.commands[name]


def described(name: str, command: click.Command, level: int = 2) -> Iterator[str]:
    """Yield the Markdown of a command, and of those below it."""
    yield from ("#" * level + f" `{name}`", "", plain(command.help or ""), "")
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from described(f"{name} {below.name}", below, level + 1)
        return
    context = click.Context(command, info_name=name)
    yield from ("```text", " ".join([name, *command.collect_usage_pieces(context)]), "```", "")
    rows = [row for row in map(row_of, command.get_params(context)) if row]
    yield from ("| argument or option | |", "|---|---|", *rows, "")


def row_of(parameter: click.Parameter) -> str:
    """Return the row of an argument or option; of `--help` none, which all have."""
    if "--help" in parameter.opts:
        return ""
    value = parameter.make_metavar().replace("|", r"\|")  # else it would end the cell, in code as well
    takes_value = isinstance(parameter, click.Option) and not parameter.is_flag
    names = [f"`{name} {value}`" if takes_value else f"`{name}`" for name in parameter.opts]
    if isinstance(parameter, click.Argument):
        names = [f"`{value}`"]
    return f"| {', '.join(names)} | {plain(getattr(parameter, 'help', '') or '')} |"


def plain(text: str) -> str:
    """Return help as Markdown: no character of it is markup."""
    return re.sub(r"([\\`*_<>\[\]|$])", r"\\\1", text.strip())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
