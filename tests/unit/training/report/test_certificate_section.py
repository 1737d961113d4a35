from __future__ import annotations

from typing import Any

import pytest

from pairguard_training.report.certificate_section import certificate_section

STRATUM: dict[str, Any] = {"stratum": "all", "threshold": 0.0123, "n": 1204, "k": 2}


def plain(certificate: dict[str, Any]) -> str:
    return certificate_section(certificate).replace("\u00a0", " ")


@pytest.mark.parametrize(
    "certificate",
    [{}, {"certified": False}, {"certified": "yes"}, {"certified": 1, "strata": [STRATUM]}],
)
def test_without_a_certificate_there_is_no_promise(certificate: dict[str, Any]) -> None:
    text = plain(certificate)
    assert "No certificate: no promise." in text
    assert "0.0123" not in text


def test_why_there_is_none_is_told() -> None:
    assert "Only 12 &lt;people&gt;." in plain({"certified": False, "reason": "Only 12 <people>."})


@pytest.mark.parametrize(
    "certificate",
    [
        {"strata": [STRATUM | {"alpha": 0.005, "confidence": 0.95}]},
        {"alpha": 0.005, "delta": 0.05, "strata": {"all": STRATUM}},
        {"promises": [{"max_rate": 0.005, "confidence": 0.95, "strata": [STRATUM]}]},
    ],
)
def test_strata_are_read_however_they_are_nested(certificate: dict[str, Any]) -> None:
    text = plain({"certified": True, "expire_time": "2026-09-07T00:00:00Z", **certificate})
    for words in ("everybody", "at most 0.5 %", "95.0 %", "0.0123", "1,204", ">2<", "2026-09-07"):
        assert words in text
    assert "not told" not in text


def test_what_a_stratum_does_not_tell_is_not_made_up() -> None:
    text = plain({"certified": True, "strata": [{"name": "DE", "threshold": None}]})
    assert text.count("not told") == 5
    assert "none found" in text


def test_its_own_sentences_are_shown_as_text() -> None:
    text = plain({"certified": True, "statements": ["<script>x</script>"], "strata": []})
    assert "&lt;script&gt;x" in text
    assert "names no strata" in text
