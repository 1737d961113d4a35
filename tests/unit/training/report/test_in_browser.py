"""The page in a real browser: nothing is asked for, nothing complains, the slider moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairguard_training.report.facts import ReportFacts
from pairguard_training.report.page import report_page
from tests.browser import Page, chromium_page

_SENTENCE = "document.getElementById('threshold-sentence').textContent"
_ROW = "document.querySelector('#thresholds tr.chosen').dataset.sentence"
_MARK = "document.getElementById('marker-point').getAttribute('cx')"


@pytest.fixture(scope="module")
def opened(facts: ReportFacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(report_page(facts))
    with chromium_page() as page:
        page.width(1_100)
        page.open(path)
        assert page.requests == [path.as_uri()]
        yield page


def test_it_loads_without_complaint_or_request(opened: Page) -> None:
    opened.evaluate("new Promise(done => setTimeout(done, 300))")
    assert opened.complaints == []
    assert len(opened.requests) == 1
    assert opened.evaluate("typeof window.broken") == "undefined"
    assert opened.evaluate("document.images.length") == 0


def test_the_keyboard_moves_the_slider_and_the_numbers(opened: Page) -> None:
    opened.evaluate("document.getElementById('threshold-slider').focus()")
    assert opened.evaluate("document.getElementById('slider').hidden") is False
    opened.press("Home", 36)
    strictest, mark = opened.evaluate(_SENTENCE), opened.evaluate(_MARK)
    assert strictest == opened.evaluate(_ROW)
    opened.press("ArrowRight", 39)
    assert opened.evaluate("document.getElementById('threshold-slider').value") == "1"
    assert opened.evaluate(_SENTENCE) == opened.evaluate(_ROW) != strictest
    opened.press("End", 35)
    laxest = opened.evaluate(_SENTENCE)
    assert laxest == opened.evaluate(_ROW) != strictest
    assert float(opened.evaluate(_MARK)) < float(mark)  # fewer good pairs are stopped
    told = opened.evaluate("document.getElementById('threshold-slider').ariaValueText")
    assert told.startswith("threshold ")
    assert opened.complaints == []


def test_no_width_makes_the_page_scroll_sideways(opened: Page) -> None:
    for pixels in (1_100, 700, 360):
        opened.width(pixels)
        width = opened.evaluate("document.documentElement.scrollWidth")
        assert width <= pixels
    opened.width(1_100)


def test_words_stand_out_from_their_ground(opened: Page) -> None:
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), of every colour that text has."""
    ratios = opened.evaluate("""(() => {
      const light = text => {
        const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(c => {
          const s = c / 255;
          return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = node => {
        for (; node; node = node.parentElement) {
          const colour = getComputedStyle(node).backgroundColor;
          if (!colour.startsWith("rgba(0, 0, 0, 0")) return colour;
        }
        return "rgb(255, 255, 255)";
      };
      return Array.from(document.querySelectorAll("p, li, a, th, td, caption, span, h1, h2, h3"))
        .map(node => [light(getComputedStyle(node).color), light(ground(node))])
        .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    })()""")
    assert len(ratios) > 100
    assert min(ratios) >= 4.5


def test_it_prints(opened: Page) -> None:
    printed = opened.printed()
    assert printed.startswith(b"%PDF-")
    pages = printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ")
    assert 5 <= pages <= 60


def test_without_scripts_the_numbers_are_there(facts: ReportFacts, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(report_page(facts))
    with chromium_page() as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.open(path)
        tree = page.call("Accessibility.getFullAXTree")["nodes"]
    names = [node.get("name", {}).get("value", "") for node in tree]
    roles = [node.get("role", {}).get("value", "") for node in tree]
    assert any(name.startswith("Threshold ") and "of 1,000 good pairs" in name for name in names)
    assert "slider" not in roles
    assert any("The slider needs JavaScript" in name for name in names)
