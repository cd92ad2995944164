"""Pages as they stand in the repository: links that leave `docs/` keep leading somewhere, and files keep their names.

The READMEs of plugins and kernels become pages of `docs/packages/`, which git ignores, with what the docstrings
of their solvers say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from qdynbench.plugins.registry import Entry, Registry

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PACKAGES = DOCS / "packages"
READMES = {
    readme.resolve(): PACKAGES / f"{readme.parent.name}.md"
    for readme in sorted([*ROOT.glob("plugins/*/README.md"), *ROOT.glob("kernels/*/README.md")])
}
ELSEWHERE = {
    **READMES,
    ROOT / "CHANGELOG.md": PACKAGES / "changelog.md",
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "docs/README.md": DOCS / "index.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?=[)#])")
TITLED = re.compile(r"^```(\w+) title=\"([^\"]+)\"$", re.MULTILINE)


def on_site(text: str, home: Path, page: Path) -> str:
    """Return Markdown for the site: links from a file in folder `home` to be followed from a page in folder `page`."""

    def relinked(match: re.Match[str]) -> str:
        target = (home / match["path"]).resolve()
        return os.path.relpath(ELSEWHERE.get(target, target), page) if target.exists() else match["path"]

    return TITLED.sub(r"```{code-block} \1\n:caption: \2\n", LINK.sub(relinked, text))


def source(app: Sphinx, docname: str, content: list[str]) -> None:
    """Prepare a page when it is read."""
    folder = (DOCS / docname).parent
    content[0] = on_site(content[0], folder, folder)


def packages(app: Sphinx) -> None:
    """Write the pages of the packages; one that has not changed keeps its time, and is not read again."""
    PACKAGES.mkdir(exist_ok=True)
    solvers = Registry.discover().entries["solvers"].values()
    for readme, page in READMES.items():
        own = [entry for entry in solvers if f"qdynbench-{entry.plugin}" == page.stem]
        written = on_site(readme.read_text(), readme.parent, PACKAGES) + "\n".join(docstrings(own))
        update(page, written)
    changelog = on_site((ROOT / "CHANGELOG.md").read_text(), ROOT, PACKAGES)
    update(ELSEWHERE[ROOT / "CHANGELOG.md"], changelog)


def docstrings(solvers: list[Entry]) -> Iterator[str]:
    """Yield what the classes of solvers say of themselves."""
    if solvers:
        yield from ("", "## Solvers and their parameters")
    for entry in solvers:
        place = str(entry.target).replace(":", ".")
        yield from ("", f"### `{entry.name}`", "", "```{eval-rst}", f".. autoclass:: {place}", "   :no-members:", "```")


def update(page: Path, text: str) -> None:
    """Write a page where it differs."""
    if not page.is_file() or page.read_text() != text:
        page.write_text(text)


def levelled(app: Sphinx, docname: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the headings of the navigation the level that a screen reader asks for."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect them."""
    app.connect("builder-inited", packages)
    app.connect("source-read", source)
    app.connect("html-page-context", levelled, priority=900)  # behind the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
