"""Sphinx configuration: `make docs` builds the site into docs/_build/html, offline."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import catalogue  # noqa: E402

import wignerflow  # noqa: E402

project = "wignerflow"
author = "The wignerflow developers"
copyright = "the wignerflow developers"
version = release = wignerflow.__version__

extensions = [
    "sphinx-mathjax-offline",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "catalogue",
]
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "_ext",
    "_figures",
    "_live",
    "_which",
    "gallery/*/*.py",
    "gallery/**/*.ipynb",
    "gallery/**/*.md5",
]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
master_doc = "index"
nitpicky = False  # third-party types have no pages here: the build is offline
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False


sphinx_gallery_conf = {
    "examples_dirs": [
        str(HERE.parent / d)
        for d in ("tutorials", "examples", "wignerflow/figures/pages", "docs/_figures")
    ],
    "gallery_dirs": ["gallery/tutorials", "gallery/examples", "gallery/live", "gallery/figures"],
    # published figures, and dear examples, are shown as measured, not made anew
    "filename_pattern": catalogue.scripts_that_run(),
    "image_scrapers": (catalogue.saved_pictures,),
    "reset_modules": ("matplotlib",),
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 0,
    "nested_sections": False,
    "first_notebook_cell": "%matplotlib inline",
}

html_theme = "pydata_sphinx_theme"
html_title = "wignerflow"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_extra_path = ["_live"]  # made by gallery scripts, see _ext/catalogue.py
html_css_files = ["site.css"]
html_js_files = [(name, {"defer": "defer"}) for name in ("which.js", "names.js")]
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": True,
    "show_prev_next": False,
    "header_links_before_dropdown": 5,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "gallery": []}
