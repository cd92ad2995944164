"""Docstrings as they stand: names in backticks become links where they are documented, code otherwise."""

from __future__ import annotations

import re
from typing import Any

import pydantic
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

import qdynbench

NAME = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*")


class Name(SphinxRole):
    """Single backticks as Markdown reads them; a name is looked up among what is documented."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return code, with a link where there is something to lead to."""
        code = self.rawtext.strip("`")
        literal = nodes.literal(self.rawtext, code, classes=["py"])
        if not NAME.fullmatch(code):
            return [literal], []
        where = {"refdomain": "py", "reftype": "obj", "reftarget": code, "refdoc": self.env.docname}
        reference = addnodes.pending_xref(self.rawtext, literal, **where)
        for scope in ("py:module", "py:class"):
            reference[scope] = self.env.ref_context.get(scope)
        return [reference], []


def blocks(app: Sphinx, what: str, called: str, target: Any, options: Any, lines: list[str]) -> None:
    """Make an indented block below a line that ends in a colon, with a blank line between, code."""
    for number in range(len(lines) - 2):
        here, blank, below = lines[number : number + 3]
        deeper = len(below) - len(below.lstrip()) >= len(here) - len(here.lstrip()) + 4
        if here.rstrip().endswith(":") and not here.rstrip().endswith("::") and not blank.strip() and deeper:
            lines[number] = here.rstrip() + ":"


def untyped(app: Sphinx, what: str, called: str, target: Any, options: Any, lines: list[str]) -> None:
    """Put back what napoleon took for the type of a property: all before the first colon; types are annotated."""
    found = next((line for line in lines if line.startswith(":type: ")), None)
    if what in {"attribute", "data", "property"} and found:
        lines.remove(found)
        lines[0] = f"{found.removeprefix(':type: ')}: {lines[0]}"


def signature(app: Sphinx, what: str, called: str, target: Any, *details: Any) -> tuple[str, None] | None:
    """Leave out the arguments of a data model: they are its attributes, each with its checks."""
    return ("", None) if isinstance(target, type) and issubclass(target, pydantic.BaseModel) else None


def skipped(app: Sphinx, what: str, called: str, target: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a library has added: the settings of a data model, the fields of a named tuple once more."""
    added = called == "model_config" or str(target.__doc__).startswith("Alias for field number")
    return True if added else None


def public(
    app: Sphinx, environment: BuildEnvironment, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Lead a name to where it is documented: a class is known by its public name, wherever its file lies."""
    parts = node["reftarget"].split(".")
    first = next((number for number, part in enumerate(parts) if part in qdynbench.__all__), None)
    if node.get("refdomain") != "py" or first is None:
        return None
    called = ".".join(["qdynbench", *parts[first:]])
    domain, page = environment.domains.python_domain, node["refdoc"]
    return domain.resolve_xref(environment, page, app.builder, "obj", called, node, content)


def complete(app: Sphinx, environment: BuildEnvironment) -> list[str]:
    """Warn of public names that no page describes."""
    known = {name.rpartition(".")[2] for name in environment.domains.python_domain.objects}
    modules = {name.rpartition(".")[2] for name in environment.domains.python_domain.modules}
    for missing in sorted(set(qdynbench.__all__) - known - modules):
        logging.getLogger(__name__).warning("no page describes qdynbench.%s", missing)
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role of single backticks and the hooks of autodoc."""
    app.add_role("name", Name())
    app.connect("autodoc-process-docstring", blocks, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", untyped, priority=600)  # behind it
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skipped)
    app.connect("missing-reference", public)
    app.connect("env-check-consistency", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
