"""Settings of the documentation pages (sphinx)."""

from __future__ import annotations

project = "scdp-flows"
author = "scdp-flows developers"
copyright = "scdp-flows developers"  # noqa: A001 - the name that sphinx reads
extensions = ["myst_parser", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "amsmath"]
# The table is part of another page.
exclude_patterns = ["_build", "**.ipynb_checkpoints", "design/ablation_table.md"]
html_theme = "furo"
html_title = "scdp-flows"
