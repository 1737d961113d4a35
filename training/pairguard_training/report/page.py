"""The whole page: one file, no network, nothing but what it holds.

Owns the order of the sections, the head and the policy that a browser holds the page to: no address
may be loaded from, and no script may run but the page's own, whose hash it names. So a text of the
data that escaped escaping would still run nothing.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from pairguard_training.report.certificate_section import certificate_section
from pairguard_training.report.closing import examples_section, limits_section
from pairguard_training.report.comparison_sections import comparison_section, reliability_section
from pairguard_training.report.drift_section import drift_section
from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.introduction import (
    data_section,
    purpose_section,
    short_section,
    simulated_notice,
)
from pairguard_training.report.markup import Markup, constant, element, joined
from pairguard_training.report.people_sections import exposure_section, slices_section
from pairguard_training.report.threshold_section import threshold_section

_CONTENTS = (
    ("short", "In short"),
    ("purpose", "What this is, and what it is not"),
    ("data", "The data"),
    ("promise", "What is promised"),
    ("threshold", "What a threshold costs"),
    ("reliability", "Do the probabilities come true?"),
    ("slices", "For whom does it err?"),
    ("exposure", "What minors would meet, and what adults pay"),
    ("comparison", "Better than what?"),
    ("drift", "Has the data changed?"),
    ("examples", "Examples with reasons"),
    ("limits", "Limits"),
)


def report_page(facts: ReportFacts) -> bytes:
    """Return the report as UTF-8; the same facts give the same bytes."""
    script, style = _resource("slider.js"), _resource("style.css")
    title = f"pairguard report: bundle {facts.bundle.version}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content=(
                "default-src 'none'; base-uri 'none'; form-action 'none'; "
                f"style-src {_hash(style)}; script-src {_hash(script)}"
            ),
        ),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", constant(style)),
    )
    body = element(
        "body",
        element("a", "Skip to the content", href="#content", class_="skip"),
        element(
            "header",
            element("h1", "What this bundle can do, and for whom it errs"),
            element("p", title, class_="quiet"),
            simulated_notice(facts),
        ),
        element(
            "nav",
            element(
                "ol",
                *(
                    element("li", element("a", text, href=f"#{anchor}"))
                    for anchor, text in _CONTENTS
                ),
            ),
            aria_label="Contents",
        ),
        element("main", *_sections(facts), id="content", tabindex=-1),
        element("script", constant(script)),
    )
    page = joined([constant("<!DOCTYPE html>\n"), element("html", head, body, lang="en")])
    return f"{page}\n".encode()


def _sections(facts: ReportFacts) -> list[Markup]:
    return [
        short_section(facts),
        purpose_section(),
        data_section(facts),
        certificate_section(facts.certificate),
        threshold_section(facts),
        reliability_section(facts),
        slices_section(facts),
        exposure_section(facts),
        comparison_section(facts),
        drift_section(facts),
        examples_section(facts.examples),
        limits_section(facts),
    ]


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
