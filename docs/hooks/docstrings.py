"""Converts docstrings from reST (formulas, cross-references) to Markdown.

Formulas become MathML, which browsers render natively: the site needs no script and no network for them.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import griffe
from latex2mathml.converter import convert

BLOCK = re.compile(r"^(?P<indent> *)\.\. math:: *(?P<tex>.*(?:\n(?P=indent) +\S.*)*)", re.MULTILINE)
INLINE = re.compile(r":math:`([^`]+)`")
ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc|obj):`~?([^`]+)`")
CODE = re.compile(r"``([^`]+)``")
REFERENCES = re.compile(r"^References: *(?P<text>.*(?:\n +\S.*)*)", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Griffe extension that rewrites the docstring of every object that mkdocstrings reads."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Convert a docstring: formulas to MathML, roles and headings to Markdown."""
    text = inspect.cleandoc(text)
    text = BLOCK.sub(lambda m: f'{m["indent"]}<div class="formula">{_mathml(m["tex"], "block")}</div>', text)
    text = INLINE.sub(lambda m: _mathml(m[1], "inline"), text)
    text = ROLE.sub(r"`\1`", text)
    text = CODE.sub(r"`\1`", text)
    text = REFERENCES.sub(lambda m: f"**References.** {' '.join(m['text'].split())}", text)
    return re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)


def _mathml(tex: str, display: str) -> str:
    tex = " ".join(tex.split())
    return convert(tex.replace(r"\operatorname", r"\mathrm"), display=display)
