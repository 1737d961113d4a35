"""The page about notebooks does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"


def test_the_examples_of_the_page_run_one_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    examples = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(examples) == 4
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102 - the page is ours
    shown = capsys.readouterr().out
    assert "logit_spline" in shown
    assert "REROUTE" in shown
    assert "harm model" in shown.lower()
