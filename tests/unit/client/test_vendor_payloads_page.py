"""The page on vendor payloads: its example runs, and it names every function."""

import re
from pathlib import Path
from typing import Any

from pairguard.client import Binding, ParticipantInput
from pairguard.client import evidence as api

PAGE = (Path(__file__).parents[3] / "docs" / "vendor-payloads.md").read_text(encoding="utf-8")


def test_the_example_makes_evidence() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}

    exec(code, names)  # noqa: S102 - the page's own example

    participant: ParticipantInput = names["participant"]
    (item,) = participant.age_evidence
    assert item.provider == "yoti"
    assert item.binding is Binding.LIVE_PERSON


def test_every_function_is_on_the_page_and_no_other() -> None:
    there = {name for name in api.__all__ if name.startswith("from_")} | {"id_document"}

    assert set(re.findall(r"\| `(\w+)` \|", PAGE)) == there
