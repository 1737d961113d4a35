from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairguard_training.report.markup import constant, element, joined

ANYTHING = st.text() | st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title>", "&lt;b&gt;", "]]>"]
)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(ANYTHING, ANYTHING)
def test_whatever_a_text_holds_it_is_text(text: str, value: str) -> None:
    read_back = read(element("p", text, title=value, data_x=value))
    assert read_back.tags == ["p"]
    assert [name for name, _ in read_back.attributes] == ["title", "data-x"]
    shown = "".join(character for character in text if character in read_back.text)
    assert len(shown) >= len([c for c in text if c.isalnum() and c.isascii()])


def test_escaped_texts_read_as_they_were() -> None:
    text = "<b>a & b</b> \"c\" 'd'"
    found = read(element("p", text, title=text))
    assert found.text == text
    assert found.attributes == [("title", text)]


def test_what_is_markup_is_not_escaped_twice() -> None:
    assert element("p", element("em", "a & b")) == "<p><em>a &amp; b</em></p>"
    assert joined(["<", element("br"), None, 3]) == "&lt;<br>3"


def test_controls_and_turned_directions_are_shown_as_unreadable() -> None:
    assert element("p", "a\u202eb\x00c") == "<p>a\ufffdb\ufffdc</p>"


def test_attributes_without_value_and_absent_ones() -> None:
    assert element("input", type="range", hidden=True, id=None, disabled=False) == (
        '<input type="range" hidden>'
    )


@pytest.mark.parametrize("name", ["onclick", "ONERROR", "a b", "", "x=y"])
def test_no_attribute_runs_a_script(name: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        element("p", **{name: "alert(1)"})


@pytest.mark.parametrize("name", ["p onclick=x", "", "1p", "p>"])
def test_an_element_has_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="element"):
        element(name)


def test_a_script_cannot_end_itself() -> None:
    with pytest.raises(ValueError, match="end"):
        constant('"</SCRIPT>"')
