"""Parts that every section is made of: headings, paragraphs, tables, notices.

Owns their structure, so that each table has a caption and headed rows and columns. It must not know
what is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pairguard_training.report.markup import Child, Markup, element, joined


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        head: What it is about.
        cells: The rest.
        attributes: Of the row.
        heading: Whether it only names the rows below it.
    """

    head: Child
    cells: Sequence[Child] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    heading: bool = False


def section(anchor: str, title: str, *children: Child) -> Markup:
    """Return a section with its heading, which the contents link to."""
    return element(
        "section",
        element("h2", title, id=anchor, tabindex=-1),
        *children,
        aria_labelledby=anchor,
    )


def paragraph(*children: Child, class_: str | None = None) -> Markup:
    """Return a paragraph."""
    return element("p", *children, class_=class_)


def heading(title: str) -> Markup:
    """Return a heading within a section."""
    return element("h3", title)


def items(texts: Iterable[Child]) -> Markup:
    """Return a list."""
    return element("ul", *(element("li", text) for text in texts))


def notice(*children: Child, promise: bool = False) -> Markup:
    """Return something that must not be overlooked."""
    return element("div", *children, class_="notice promise" if promise else "notice")


def table(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Row],
    *,
    figures: Sequence[int] = (),
    anchor: str | None = None,
) -> Markup:
    """Return a table that can be scrolled sideways where it is too wide.

    Args:
        caption: What it shows.
        heads: Of its columns.
        rows: With one cell less than there are columns.
        figures: Places of the columns that hold figures.
        anchor: Id of the table.
    """
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element(
                "thead",
                element(
                    "tr",
                    *(
                        element("th", text, scope="col", class_=_class(place, figures))
                        for place, text in enumerate(heads)
                    ),
                ),
            ),
            element("tbody", *(_row(row, len(heads), figures) for row in rows)),
            id=anchor,
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def details(summary: str, *children: Child) -> Markup:
    """Return something that is opened when it is wanted."""
    return element("details", element("summary", summary), *children)


def figure(picture: Markup, caption: str) -> Markup:
    """Return a picture with its caption."""
    return element("figure", picture, element("figcaption", caption))


def _row(row: Row, columns: int, figures: Sequence[int]) -> Markup:
    if row.heading:
        head = element("th", row.head, scope="rowgroup", colspan=columns)
        return element("tr", head, class_="group")
    cells = joined(
        element("td", cell, class_=_class(place, figures))
        for place, cell in enumerate(row.cells, start=1)
    )
    attributes: dict[str, str] = dict(row.attributes)
    return element("tr", element("th", row.head, scope="row"), cells, **attributes)


def _class(place: int, figures: Sequence[int]) -> str | None:
    return "figure" if place in figures else None
