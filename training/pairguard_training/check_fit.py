"""Error rates of age checks, from verified people who had been checked.

Owns which checks count and what they are compared with. It must not know how a rate is chosen
(``error_rates``). Facial thresholds follow the face model and are not counted here.

Checks teach the rates of the provider that they name, those that name none the rates of checks that
name none: a good provider's figures must not pass to one that nobody has seen, nor those of whoever
is not named to one that is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    Liveness,
)
from pairguard.age.parameters import AGE_GRID
from pairguard.age.tables import AgeTables
from pairguard_training.error_rates import EXCLUDED_YEARS, Trial, fit_rates, parameter
from pairguard_training.rate_report import RateReport
from pairguard_training.verified_evidence import VerifiedItem, others_statements

Array = NDArray[np.float64]

_ERRORS = ("false_over", "false_under")


def with_fitted_checks(
    tables: AgeTables, items: Sequence[VerifiedItem]
) -> tuple[AgeTables, list[RateReport]]:
    """Return the tables with the error rates that verified people teach, and what became of each.

    A document of the tables gets ``age_check.<METHOD>.providers.<name>`` for each provider of whom
    enough people were seen, "" where it is not told; the rates are shrunk to those that counted for
    it before. The method's own rates stay.

    Args:
        tables: The presets.
        items: What people of known age had shown.
    """
    reports: list[RateReport] = []
    document: dict[str, Any] = dict(tables.document)
    groups = _trials(tables, items)
    for method, provider in sorted(groups):
        rates = tables.check_rates(CheckMethod(method), provider)
        place = f"age_check.{method}.providers.{provider or '(no name)'}"
        over, under = groups[method, provider]
        found = fit_rates(
            (f"{place}.false_over", f"{place}.false_under"),
            (rates.false_over, rates.false_under),
            over,
            under,
        )
        reports += found
        if any(report.changed for report in found):
            document = _with_rates(document, method, provider, found)
    fitted = AgeTables.from_mapping(document) if any(r.changed for r in reports) else tables
    return fitted, reports


def _trials(
    tables: AgeTables, items: Sequence[VerifiedItem]
) -> dict[tuple[str, str], tuple[list[Trial], list[Trial]]]:
    """Return trials of people under and over the threshold, by method and provider."""
    groups: dict[tuple[str, str], tuple[list[Trial], list[Trial]]] = defaultdict(lambda: ([], []))
    shares: dict[tuple[CheckMethod, bool, float], Array] = {}
    for item in items:
        check = item.evidence.observation
        if (
            not isinstance(check, AgeCheck)
            or check.method is CheckMethod.FACIAL_THRESHOLD
            or check.result is CheckResult.INCONCLUSIVE
            or check.liveness is Liveness.FAILED
            or abs(item.age_years - check.threshold_years) < EXCLUDED_YEARS
        ):
            continue
        key = check.method, _live(item.evidence, check), check.threshold_years
        if key not in shares:
            shares[key] = _share_above(tables, key[0], live=key[1], threshold_years=key[2])
        above = float(shares[key][int(item.age_years)])
        is_over = item.age_years >= check.threshold_years
        said_over = check.result is CheckResult.OVER
        groups[check.method.value, item.evidence.provider.lower()][is_over].append(
            Trial(
                participant=item.participant,
                erred=said_over != is_over,
                elsewhere=1.0 - above if is_over else above,
                weight=item.weight,
            )
        )
    return groups


def _share_above(
    tables: AgeTables, method: CheckMethod, *, live: bool, threshold_years: float
) -> Array:
    """Return (101,) P(a check speaks of somebody over the threshold | true age)."""
    part_above = np.clip(AGE_GRID + 1.0 - threshold_years, 0.0, 1.0)
    attack = tables.checks[method].attack
    result: Array = part_above @ others_statements(
        tables, attack=attack, attack_group="identity", live=live
    )
    return result


def _live(evidence: AgeEvidence, check: AgeCheck) -> bool:
    """Return whether serving takes the check for the live person's."""
    seen = check.liveness is not Liveness.UNDETERMINED
    return evidence.binding is Binding.LIVE_PERSON and seen


def _with_rates(
    document: Mapping[str, Any], method: str, provider: str, found: Sequence[RateReport]
) -> dict[str, Any]:
    checks = document["age_check"]
    before = checks[method]
    providers = before.get("providers", {})
    named = next((name for name in providers if name.lower() == provider), provider)
    # A provider of its own needs both rates, also the one that stays as it was.
    old = {**before, **providers.get(named, {})}
    rates = {
        error: (
            parameter(report, old[error]["source"])
            if report.changed
            else {"value": report.preset, "source": old[error]["source"]}
        )
        for error, report in zip(_ERRORS, found, strict=True)
    }
    after = {**before, "providers": {**providers, named: rates}}
    return {**document, "age_check": {**checks, method: after}}
