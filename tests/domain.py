"""Values of the domain that several tests need: default tables, policies, strategies."""

from __future__ import annotations

import copy
import json
import tomllib
from dataclasses import replace
from importlib.resources import files
from typing import Any

from hypothesis import strategies as st

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Observation,
    Platform,
    PlatformAgeRange,
    PlatformAssurance,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.age.posterior import AgeAssessment, assess_age
from pairguard.age.tables import AgeTables

NOW = 1_795_000_000.0
"""A fixed now: 2026-11-18."""
DAY = 86_400.0
YEAR = 365.2425 * DAY


def default_tables_document() -> dict[str, Any]:
    """Return a fresh copy of the default age tables' document."""
    text = files("pairguard.age").joinpath("default_tables.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def default_policy_document() -> dict[str, Any]:
    """Return a fresh copy of the default policy's document."""
    return tomllib.loads(files("pairguard.policy").joinpath("default.toml").read_text("utf-8"))


def merged(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a document with nested changes laid over it."""
    result = copy.deepcopy(document)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


TABLES = AgeTables.from_mapping(default_tables_document())


def assessed(*evidence: AgeEvidence, tables: AgeTables = TABLES, now: float = NOW) -> AgeAssessment:
    """Return the assessment of evidence under the default prior."""
    return assess_age(tables, prior=tables.prior("", ""), evidence=evidence, now=now)


def live(observation: Observation, *, observed_time: float | None = NOW) -> AgeEvidence:
    """Return an item bound to the live person."""
    return AgeEvidence(observation, observed_time=observed_time, binding=Binding.LIVE_PERSON)


def document_check(result: CheckResult, threshold_years: float = 18) -> AgeEvidence:
    """Return a live document check."""
    return live(AgeCheck(CheckMethod.ID_DOCUMENT, threshold_years, result))


def verified(years: float) -> AgeEvidence:
    """Return a live verification that discloses the age."""
    return live(VerifiedAge(VerificationMethod.ID_DOCUMENT, age_years=years))


ages = st.floats(0, 120, allow_nan=False)
whole_ages = st.integers(0, 120)
past_times = st.one_of(st.none(), st.floats(NOW - 30 * YEAR, NOW, allow_nan=False))

observations: st.SearchStrategy[Observation] = st.one_of(
    st.builds(
        SelfDeclared,
        age_years=ages,
        declared_time=past_times,
        gate_years=st.one_of(st.none(), st.floats(0, 30)),
    ),
    st.builds(
        SelfDeclared,
        birth_year=st.integers(1900, 2026),
        declared_time=past_times,
        gate_years=st.one_of(st.none(), st.floats(0, 30)),
    ),
    st.tuples(
        st.sampled_from(Platform),
        st.sampled_from(PlatformAssurance),
        st.one_of(st.none(), whole_ages),
        st.one_of(st.none(), whole_ages),
    ).map(
        lambda r: PlatformAgeRange(
            r[0],
            r[1],
            r[2] if r[2] is None or r[3] is None else min(r[2], r[3]),
            r[3] if r[2] is None or r[3] is None else max(r[2], r[3]),
        )
    ),
    st.builds(FacialAgeEstimate, mean_years=ages, liveness=st.sampled_from(Liveness)),
    st.builds(
        AgeCheck,
        method=st.sampled_from(CheckMethod),
        threshold_years=ages,
        result=st.sampled_from(CheckResult),
    ),
    st.builds(VerifiedAge, method=st.sampled_from(VerificationMethod), age_years=ages),
    st.builds(
        VerifiedAge, method=st.sampled_from(VerificationMethod), birth_year=st.integers(1900, 2026)
    ),
)

evidence_items: st.SearchStrategy[AgeEvidence] = st.builds(
    AgeEvidence,
    observation=observations,
    evidence_id=st.sampled_from(["", "e1", "e2", "e3"]),
    observed_time=past_times,
    expire_time=st.one_of(st.none(), st.floats(NOW - YEAR, NOW + YEAR)),
    provider=st.sampled_from(["", "yoti", "didit", "Yoti"]),
    binding=st.sampled_from(Binding),
)

evidence_lists = st.lists(evidence_items, max_size=6)


def captured(item: AgeEvidence, session: str, liveness: Liveness) -> AgeEvidence:
    """Return an item that came from a capture, if it is of a kind that can."""
    observation = item.observation
    if isinstance(observation, (SelfDeclared, PlatformAgeRange)):
        return item
    return replace(
        item, observation=replace(observation, capture_session=session, liveness=liveness)
    )


captured_items: st.SearchStrategy[AgeEvidence] = st.builds(
    captured, evidence_items, st.sampled_from(["", "", "s1", "s2"]), st.sampled_from(Liveness)
)
"""Items with what a camera adds to them: liveness results and shared captures."""
