"""HTML elements that escape whatever they are given.

Owns the one way from values to HTML: a text becomes text, whatever is in it, and only what
``element`` and ``joined`` made is markup. It must not know what a page says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_VOID: Final = frozenset({"meta", "input", "br"})
# Control characters, and those that turn the direction of the text around them.
_UNWANTED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Markup(str):
    """HTML that was made by this module; nothing else may make any."""

    __slots__ = ()


Child = Markup | str | int | None
Value = str | float | bool | None


def element(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """Return an element; texts among the children and the values of attributes are escaped.

    Args:
        name: Of the element.
        children: Markup as it is, texts escaped, None left out.
        attributes: ``aria_label`` is ``aria-label``, ``class_`` is ``class``; True is an attribute
            without a value, False and None are left out.

    Raises:
        ValueError: A name is none, or that of an attribute which runs a script.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an element")
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Return markup one after another, texts escaped."""
    return Markup("".join(_written(child) for child in children))


def constant(content: str) -> Markup:
    """Return a style sheet or a script of this package as it is.

    Raises:
        ValueError: It would end the element that it stands in.
    """
    if re.search(r"</(style|script)", content, re.IGNORECASE):
        raise ValueError("would end its own element")
    return Markup(content)


def clean(text: str) -> str:
    """Return a text without control characters and without what turns its direction."""
    return _UNWANTED.sub("\ufffd", text)


def _written(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Markup) else escape(clean(str(child)), quote=True)


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name) or name.lower().startswith("on"):
        raise ValueError(f"{key!r} is no name of an attribute")
    if value is True:
        return f" {name}"
    return f' {name}="{escape(clean(str(value)), quote=True)}"'
