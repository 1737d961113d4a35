from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.page import report_page
from tests.unit.training.report.conftest import IMAGE, SCRIPT

NEVER_CLOSED = {"meta", "input", "br"}


class Structure(HTMLParser):
    """Reads a page strictly: every element is closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in NEVER_CLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(facts: ReportFacts) -> str:
    return report_page(facts).decode()


@pytest.fixture(scope="module")
def structure(page: str) -> Structure:
    found = Structure()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def test_markup_in_the_data_is_shown_and_does_nothing(page: str, structure: Structure) -> None:
    assert len(structure.all("script")) == 1  # the page's own
    assert structure.all("img") == []
    shown = "".join(structure.text)
    assert shown.count(SCRIPT) >= 5
    assert IMAGE in shown
    assert SCRIPT not in page
    for _, attributes in structure.elements:
        assert not any(name.startswith("on") for name in attributes)


def test_nothing_is_loaded_from_anywhere(structure: Structure) -> None:
    for tag, attributes in structure.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "srcset", "action", "background"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in "".join(structure.text)
    (policy,) = [m["content"] for m in structure.all("meta") if "http-equiv" in m]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_it_can_be_read_without_seeing_it(structure: Structure) -> None:
    (html,) = structure.all("html")
    assert html["lang"] == "en"
    tables, captions = structure.all("table"), structure.all("caption")
    assert len(tables) == len(captions) > 10
    for head in structure.all("th"):
        assert head.get("scope") in {"col", "row", "rowgroup"}
    pictures = [svg for svg in structure.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(pictures) >= 2
    ids = [attributes["id"] for _, attributes in structure.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for svg in pictures:
        assert svg["role"] == "img"
        named = (svg["aria-labelledby"] or "").split()
        assert len(named) == 2
        assert set(named) <= set(ids)
    for label in structure.all("label"):
        assert label["for"] in ids
    for anchor in structure.all("a"):
        assert (anchor["href"] or "").removeprefix("#") in ids


def test_headings_leave_out_no_level(structure: Structure) -> None:
    levels = [int(tag[1]) for tag, _ in structure.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_section_is_there_and_a_simulation_is_called_one(structure: Structure) -> None:
    text = "".join(structure.text)
    for words in (
        "Simulated data.", "What this is, and what it is not", "The data", "What is promised",
        "What a threshold costs", "Do the probabilities come true?", "For whom does it err?",
        "Model-implied until random audits confirm it.", "What adults pay", "Better than what?",
        "Has the data changed since the last bundle?", "Examples with reasons", "Limits",
    ):  # fmt: skip
        assert words in text


def test_no_id_of_anybody_is_in_it(page: str) -> None:
    assert not re.search(r"\b(sim|s|p|e)-\d{5,}", page)


def test_the_same_facts_give_the_same_bytes_and_few(facts: ReportFacts) -> None:
    assert report_page(facts) == report_page(facts)
    assert len(report_page(facts)) < 1_000_000


def test_what_was_not_measured_is_called_unknown(facts: ReportFacts) -> None:
    bare = replace(
        facts,
        champion_version=None,
        drift=None,
        evaluation=replace(
            facts.evaluation,
            comparisons=[],
            calibration={},
            people=0,
            reliability=None,
            rates=None,
            decisions=None,
            exposure=None,
            price=None,
            champion=None,
            simulated=False,
            later_from=None,
        ),
    )
    found = Structure()
    found.feed(report_page(bare).decode())
    text = "".join(found.text)
    assert text.count("Unknown:") >= 5
    assert "Simulated data" not in text


def test_examples_are_decided_by_the_bundle(facts: ReportFacts) -> None:
    decisions = {example.title: example.decision for example in facts.examples}
    assert decisions["Two whom nothing is known of"] == "REROUTE"
    assert decisions["A verified minor and a verified adult"] != "ALLOW"
    assert decisions["Somebody who was found at fault"] == "BLOCK"
    for example in facts.examples:
        assert example.reasons
        assert len(set(example.reasons)) == len(example.reasons)
