"""The documentation site: `sphinx-build -W --keep-going -b html docs build/docs`, to be read from disk."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "qdynbench"
author = "qdynbench maintainers"
copyright = "qdynbench maintainers"  # noqa: A001 - Sphinx's name

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "_site.pages",
    "_site.docstrings",
    "_site.commands",
    "_site.catalogue",
    "_site.mathml",
]
include_patterns = ["**.md"]
exclude_patterns = ["_site"]

# Pages are read on a code host as well: links between files, `$` for formulas, and headings as anchors are its own.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
autodoc_type_aliases = {name: name for name in ("NDArray", "ChartType")}
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style"), ("Class attributes", "params_style")]
default_role = "name"
python_maximum_signature_line_length = 120
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "qdynbench"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_search_summary = False  # summaries are fetched, which a browser forbids to a page opened from disk
html_math_renderer = "mathml"
