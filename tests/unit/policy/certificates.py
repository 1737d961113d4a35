"""Certificates and policies that ask for promises, for tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pairguard.policy.certificate import ACROSS, ALL, ELSEWHERE
from pairguard.policy.promises import Promise, PromiseKind
from tests.domain import default_policy_document, merged

MODEL_HASH = "ab" * 32

ASKED: dict[str, Any] = {
    "thresholds": {
        "max_minor_adult_miss_rate": 0.02,
        "confidence": 0.95,
        "certified_reroute_minor_adult": 0.1,
    },
    "gates": {
        "max_minor_admitted_rate": 0.02,
        "max_adult_admitted_rate": 0.02,
        "confidence": 0.95,
        "certified_adults_max_probability_minor": 0.08,
    },
}


def asking(**changes: Any) -> dict[str, Any]:
    """Return the default policy with promises asked for by default."""
    return merged(merged(default_policy_document(), {"default": ASKED}), changes)


def stratum(name: str, threshold: float | None, *adult_ages: int) -> dict[str, Any]:
    return {"stratum": name, "adult_ages": list(adult_ages or (18,)), "threshold": threshold}


def promise_entry(kind: PromiseKind, *strata: dict[str, Any], **changes: Any) -> dict[str, Any]:
    entry = {"kind": str(kind), "max_rate": 0.02, "confidence": 0.95, "strata": list(strata)}
    return entry | changes


def certificate_document(*promises: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a certificate of 2026-11; without promises one that keeps all of ``ASKED``."""
    kept = promises or tuple(promise_entry(kind, stratum(ALL, 0.03)) for kind in PromiseKind)
    document = {
        "certified": True,
        "format_version": 1,
        "model_hash": MODEL_HASH,
        "issue_time": "2026-11-01T00:00:00Z",
        "expire_time": "2027-01-01T00:00:00Z",
        "promises": list(kept),
    }
    return document | changes


thresholds = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.3, 1e-9]))
rates = st.sampled_from([0.001, 0.01, 0.02, 0.1])
confidences = st.sampled_from([0.9, 0.95, 0.99])
some_promises = st.builds(
    Promise, kind=st.sampled_from(list(PromiseKind)), max_rate=rates, confidence=confidences
)


@st.composite
def certificate_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any certificate of the model: some promises, some strata, some adult ages."""
    entries = []
    for kind in draw(st.lists(st.sampled_from(list(PromiseKind)), min_size=1, max_size=5)):
        names = draw(st.sampled_from([(ALL,), ("US", ELSEWHERE), ("US", "KR", ELSEWHERE)]))
        if len(names) > 1:
            names = (*names, ACROSS)
        ages = st.sampled_from([(18,), (18,), (19,), (18, 19)])
        strata = [stratum(name, draw(thresholds), *draw(ages)) for name in names]
        rate, confidence = draw(rates), draw(confidences)
        entries.append(promise_entry(kind, *strata, max_rate=rate, confidence=confidence))
    return certificate_document(*entries)


policy_documents = st.fixed_dictionaries(
    {
        "default": st.fixed_dictionaries(
            {
                "minors_may_meet": st.booleans(),
                "unknown_may_meet": st.sampled_from(["NOBODY", "ADULTS", "ADULTS_AND_UNKNOWN"]),
                "allow_without_harm_model": st.just(value=True),
                "thresholds": st.fixed_dictionaries(
                    {
                        "reroute_minor_adult": st.floats(0, 0.3),
                        "max_minor_adult_miss_rate": rates,
                        "confidence": confidences,
                        "certified_reroute_minor_adult": st.just(0.3),
                        "reroute_harm": st.just(0.5),
                        "block_harm": st.just(1.0),
                        "reroute_risk": st.just(0.5),
                    }
                ),
                "gates": st.fixed_dictionaries(
                    {
                        "adults_max_probability_minor": st.floats(0, 0.2),
                        "adults_max_probability_minor_by_evidence": st.just(0.3),
                        "minors_max_probability_adult": st.floats(0, 0.2),
                        "max_minor_admitted_rate": rates,
                        "max_adult_admitted_rate": rates,
                        "confidence": confidences,
                        "certified_adults_max_probability_minor": st.just(0.2),
                        "certified_minors_max_probability_adult": st.just(0.2),
                    }
                ),
            }
        ),
        "regions": st.fixed_dictionaries(
            {
                "KR": st.just({"adult_age": 19}),
                "US": st.fixed_dictionaries(
                    {"thresholds": st.fixed_dictionaries({"max_minor_adult_miss_rate": rates})}
                ),
            }
        ),
    }
).map(lambda changes: merged(default_policy_document(), changes))
