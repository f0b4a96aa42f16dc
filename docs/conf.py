"""The documentation site: `python -m sphinx -W -n docs docs/_build` (extra `docs`)."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, get_args

from docutils import nodes
from docutils.statemachine import StringList
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.ext.autosummary import Autosummary
from sphinx.util.docutils import SphinxDirective

import diffaug_bio

if TYPE_CHECKING:
    from types import ModuleType

    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

project = "diffaug-bio"
author = "The diffaug-bio authors"
project_copyright = "2026, the diffaug-bio authors, MIT licence"
version = release = diffaug_bio.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]  # `$...$`, as code hosts show it, too
myst_fence_as_directive = ["math"]  # and their ```math blocks
myst_heading_anchors = 3

smartquotes = False  # `--option` stays what it is
default_role = "code"  # docstrings write `name`, as Markdown does
autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 90
napoleon_google_docstring = False
napoleon_use_rtype = False
nitpick_ignore_regex = [  # other packages' names, whose sites are not asked, and what is not public
    ("py:.*", r"(?!diffaug_bio\.).*"),
    ("py:.*", r"diffaug_bio\.core\..*"),
]

html_theme = "furo"
html_title = f"diffaug-bio {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"  # browsers draw it themselves: no script from elsewhere
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"


SCHEMA = "](../data_recipes/README.md"  # as a link of a page; the site has it as a page of its own


def is_code(module: ModuleType, name: str) -> bool:
    """Tell functions and classes from constants and types."""
    return getattr(getattr(module, name), "__module__", "").startswith("diffaug_bio.")


class PublicNames(Autosummary):
    """A table of all public functions and classes of a module: `.. public-names:: diffaug_bio.tl`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = import_module(self.arguments[0])
        lines = [f"~{module.__name__}.{name}" for name in module.__all__ if is_code(module, name)]
        self.content = StringList(lines, source=module.__name__)
        self.options["nosignatures"] = None
        return super().run()


class PublicConstants(SphinxDirective):
    """All else that a module makes public, and what it holds: `.. public-constants:: diffaug_bio.pp`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = import_module(self.arguments[0])
        lines = [f".. py:currentmodule:: {module.__name__}", ""]
        for name in module.__all__:
            if not is_code(module, name):
                lines += [f".. py:data:: {name}", "", f"   {describe(module, name)}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def describe(module: ModuleType, name: str) -> str:
    """What a constant or a type holds, in words."""
    value = getattr(module, name)
    choices = get_args(value) or (tuple(value) if isinstance(value, dict | tuple | list) else ())
    if not choices:
        return f"`{value!r}`"
    shown = ", ".join(f"`{choice!r}`" for choice in choices)
    return f"By name: {shown}." if isinstance(value, dict) else f"{shown}."


class Attributes:
    """Keeps what is said of an attribute as it is: napoleon takes all before a colon for its type."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {}

    def keep(self, _app: Sphinx, what: str, name: str, *_: object) -> None:
        if what == "attribute":
            self.said[name] = list(_[-1])

    def restore(self, _app: Sphinx, _what: str, name: str, *_: object) -> None:
        if name in self.said:
            _[-1][:] = self.said.pop(name)


def keep_references_plain(_app: Sphinx, _what: str, _name: str, *_: object) -> None:
    """Numbers of references are those of one docstring, and no targets of the whole site."""
    lines = _[-1]
    for number, line in enumerate(lines):
        lines[number] = re.sub(r"^\.\. \[(\d+)\] ", r"| [\1] ", re.sub(r"\[(\d+)\]_", r"[\1]", line))


def link_to_schema(_app: Sphinx, _name: str, source: list[str]) -> None:
    source[0] = source[0].replace(SCHEMA, "](recipe-schema.md")


def name_pages_by_title(_app: Sphinx, _name: str, source: list[str]) -> None:
    """A link that is named by its file, as in `[r.md](../r.md)`, gets the title of that page."""
    source[0] = re.sub(r"\[[\w./-]+\.md\](\([\w./-]+\.md\))", r"[]\1", source[0])


def inline_math(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math-block">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.add_directive("public-names", PublicNames)
    app.add_directive("public-constants", PublicConstants)
    app.add_html_math_renderer("mathml", (inline_math, None), (math_block, None))
    attributes = Attributes()
    app.connect("autodoc-process-docstring", attributes.keep, priority=400)
    app.connect("autodoc-process-docstring", attributes.restore, priority=600)  # napoleon has 500
    app.connect("autodoc-process-docstring", keep_references_plain, priority=700)
    app.connect("source-read", link_to_schema)
    app.connect("source-read", name_pages_by_title)
