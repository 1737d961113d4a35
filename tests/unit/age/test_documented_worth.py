"""The table of docs/age-evidence.md is what the default tables give."""

from __future__ import annotations

import re
from pathlib import Path

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    SelfDeclared,
)
from tests.domain import NOW, YEAR, assessed, document_check, live, verified

DOCUMENT = Path(__file__).parents[3] / "docs" / "age-evidence.md"


def account(observation: SelfDeclared | AgeCheck) -> AgeEvidence:
    return AgeEvidence(observation, observed_time=NOW, binding=Binding.ACCOUNT)


ROWS: dict[str, list[AgeEvidence]] = {
    "none": [],
    "declared 25, no gate": [account(SelfDeclared(25))],
    "declared 25, behind an 18 gate": [account(SelfDeclared(25, gate_years=18))],
    "declared 15": [account(SelfDeclared(15))],
    "face 14, liveness passed": [live(FacialAgeEstimate(14, Liveness.PASSED))],
    "face 20, liveness passed": [live(FacialAgeEstimate(20, Liveness.PASSED))],
    "face 30, liveness passed": [live(FacialAgeEstimate(30, Liveness.PASSED))],
    "ID document, over 18": [document_check(CheckResult.OVER)],
    "ID document, over 18, a year ago": [
        live(AgeCheck(CheckMethod.ID_DOCUMENT, 18, CheckResult.OVER), observed_time=NOW - YEAR)
    ],
    "credit card, over 18, by account": [
        account(AgeCheck(CheckMethod.CREDIT_CARD, 18, CheckResult.OVER))
    ],
    "verified 34": [verified(34)],
    "verified 16": [verified(16)],
}


def test_the_documented_table_is_computed() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| (.+?) \| (0\.\d{3}) \|$", text, flags=re.MULTILINE))
    assert documented == {
        name: f"{assessed(*items).probability_below(18):.3f}" for name, items in ROWS.items()
    }
