"""Sphinx configuration; the pages under generated/ are written by _ext/pages.py before each build."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

project = "rltheory"
author = "the rltheory authors"
copyright = "2026, the rltheory authors"
try:
    release = metadata.version("rltheory")
except metadata.PackageNotFoundError:
    release = "unreleased"
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "pages",
]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_ext"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
default_role = "literal"
highlight_language = "python"

autodoc_type_aliases = {
    name: name
    for name in (
        "ArrayLike",
        "BoolVec",
        "FloatVec",
        "IntVec",
        "PairVec",
        "Real",
        "StateAction",
        "StateVec",
        "Transition",
    )
}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_preprocess_types = False
napoleon_custom_sections = ["Returns from `run`"]

suppress_warnings = ["ref.python"]  # S, N, lower: the names of many fields, linked to none in particular

html_theme = "furo"
html_title = "rltheory"
html_static_path = ["_static"]
html_show_sphinx = False
