"""What a wrong error model of face estimation does, and what keeps it from pairing children.

Owns the experiment: two simulated platforms, one whose faces err as independent tests found and one
whose faces err as a vendor says, each judged with the preset of either. Everything else is the same
in all four cases: what the tables say of other evidence, the prior learned from labelled people,
and the people and pairs of one platform. All of it is simulated and says nothing of a real one.

No behaviour row and no harm model is fitted: they would hide what faces alone do. So the policy is
let to allow on the age part alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.age.admission import Admission, admission
from pairguard.age.evidence import AgeCheck, AgeEvidence, CheckMethod, FacialAgeEstimate
from pairguard.age.posterior import AgeAssessment
from pairguard.age.tables import AgeTables
from pairguard.bundle.defaults import default_age_tables, default_catalogue, default_policy_text
from pairguard.policy.decision import DecisionKind, decide
from pairguard.policy.pools import Side
from pairguard.policy.regions import Policy
from pairguard.risk.model import RiskModel
from pairguard.risk.pair import minor_adult_probability, pair_risk
from pairguard.risk.participant import Participant
from pairguard_training.age_labels import age_rows
from pairguard_training.age_prior import with_fitted_prior
from pairguard_training.calibration_line import calibration_line
from pairguard_training.face_fit import with_fitted_faces
from pairguard_training.face_labels import face_rows
from pairguard_training.line_calibration import ADULT_AGE_YEARS
from pairguard_training.proportions import Proportion, share_of
from pairguard_training.resampling import Estimate, Resamples
from pairguard_training.simulation.face_errors import PRESETS
from pairguard_training.simulation.platform import simulate
from pairguard_training.splitting import split_tables
from pairguard_training.tables.participants import observed_seconds, participants
from pairguard_training.tables.reading import Tables, read_tables
from pairguard_training.truth import read_truth
from pairguard_training.verified_evidence import verified_items

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Say = Callable[[str], None]

STRICT_GATE = 0.002
"""Highest P(minor) in the adults' pool of the stricter gate; the default policy has 0.02."""
AS_IT_IS = "default policy"
STRICT = f"gate at {STRICT_GATE:g}"
NO_FACE = "non-face check"
REFITTED = "faces refitted"
MITIGATIONS = (AS_IT_IS, STRICT, NO_FACE, REFITTED)
_RESAMPLES = 100
_TEACHING_SEED = 1 << 20  # added to the seed: the people whose labels teach are not judged


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy did.

    Attributes:
        minors_admitted: Of the minors, those admitted to the adults' pool.
        minors_admitted_by_face: The same of the minors who showed a face.
        mixed_among_allowed: Of the allowed pairs, those with one minor: pairs at random of those
            in the adults' pool, as nobody else is allowed a pair.
        good_allowed: Of random pairs of everybody that are not mixed, those that are allowed.
    """

    minors_admitted: Proportion
    minors_admitted_by_face: Proportion
    mixed_among_allowed: Proportion
    good_allowed: Proportion


@dataclass(frozen=True, slots=True)
class DamageCase:
    """One platform, judged with one preset.

    Attributes:
        simulated: How its faces err, a name of ``PRESETS``.
        inferred: How they are taken to err.
        people: Participants.
        people_with_face: Those who showed a face.
        slope: Calibration slope of P(under 18).
        slope_with_face: The same of those who showed a face.
        slope_refitted: Of those too, with faces refitted.
        outcomes: By mitigation.
        refits: What was refitted, or why not, by provider.
    """

    simulated: str
    inferred: str
    people: int
    people_with_face: int
    slope: Estimate
    slope_with_face: Estimate
    slope_refitted: Estimate
    outcomes: dict[str, Outcome]
    refits: list[str]


@dataclass(frozen=True, slots=True)
class _World:
    """One simulated platform; ``order`` is a random one of its people, who are paired by it."""

    faces: str
    people: list[Participant]
    seconds: Array
    ages: Array
    households: list[str]
    with_face: Mask
    order: NDArray[np.int64]
    teaching: Tables


def damage(*, participants: int, seed: int, say: Say) -> list[DamageCase]:
    """Simulate both platforms and judge each with both presets.

    Args:
        participants: Participants of each platform, and again as many whose labels teach.
        seed: Seed of every draw.
        say: Receives a line for each step.
    """
    policies = _policies()
    cases = []
    for faces in PRESETS:
        say(f"simulating {participants} participants whose faces err by: {faces}")
        world = _world(faces, participants, seed)
        for preset in PRESETS:
            say(f"  judging them by: {preset}")
            cases.append(_judge(world, preset, policies, seed=seed))
    return cases


def tables_with_preset(tables: AgeTables, preset: str) -> AgeTables:
    """Return the tables with another preset for every provider that is not listed."""
    face = {**tables.document["facial_age_estimate"], "default_preset": preset}
    return AgeTables.from_mapping({**tables.document, "facial_age_estimate": face})


def is_face(item: AgeEvidence) -> bool:
    """Return whether an item was read off a face."""
    observation = item.observation
    return isinstance(observation, FacialAgeEstimate) or (
        isinstance(observation, AgeCheck) and observation.method is CheckMethod.FACIAL_THRESHOLD
    )


def _policies() -> Mapping[str, Policy]:
    document: dict[str, Any] = tomllib.loads(default_policy_text())
    default = document["default"] | {"allow_without_harm_model": True}
    gates = default["gates"] | {
        "adults_max_probability_minor": STRICT_GATE,
        "adults_max_probability_minor_by_evidence": STRICT_GATE,
    }
    as_it_is = Policy.from_mapping(document | {"default": default})
    strict = Policy.from_mapping(document | {"default": default | {"gates": gates}})
    return {AS_IT_IS: as_it_is, STRICT: strict, NO_FACE: as_it_is, REFITTED: as_it_is}


def _world(faces: str, count: int, seed: int) -> _World:
    with TemporaryDirectory(prefix="pairguard-damage-") as name:
        judged, teaching = Path(name, "judged"), Path(name, "teaching")
        simulate(judged, participants=count, pairs=0, seed=seed, faces=faces)
        simulate(teaching, participants=count, pairs=0, seed=seed + _TEACHING_SEED, faces=faces)
        tables, taught = read_tables(judged), read_tables(teaching)
        truth = read_truth(judged, tables)
    people = participants(tables)
    names = tables.snapshots["snapshot_id"].to_list()
    groups = split_tables(tables, seed=seed).groups
    households = [groups[person.participant_id] for person in people]
    return _World(
        faces=faces,
        people=people,
        seconds=observed_seconds(tables),
        ages=np.array([truth.ages[name] for name in names]),
        households=households,
        with_face=np.array([any(map(is_face, person.age_evidence)) for person in people]),
        order=np.random.default_rng(seed).permutation(len(people)),
        teaching=taught,
    )


def _judge(world: _World, preset: str, policies: Mapping[str, Policy], *, seed: int) -> DamageCase:
    labelled = age_rows(world.teaching)
    tables = tables_with_preset(with_fitted_prior(default_age_tables(), labelled), PRESETS[preset])
    refitted, reports = with_fitted_faces(
        tables,
        face_rows(tables, verified_items(world.teaching, labelled)),
        groups=split_tables(world.teaching, seed=seed).groups,
        seed=seed,
    )
    found = _assess(tables, world)
    again = _assess(refitted, world)
    faceless = _without_faces(tables, world, found)
    seen = {AS_IT_IS: [found], STRICT: [found], NO_FACE: [found, faceless], REFITTED: [again]}
    return DamageCase(
        simulated=world.faces,
        inferred=preset,
        people=len(world.people),
        people_with_face=int(world.with_face.sum()),
        slope=_slope(world, found, np.ones_like(world.with_face), seed=seed),
        slope_with_face=_slope(world, found, world.with_face, seed=seed),
        slope_refitted=_slope(world, again, world.with_face, seed=seed),
        outcomes={name: _outcome(world, views, policies[name]) for name, views in seen.items()},
        refits=[
            f"{report.provider}: {report.people} people, "
            + ("refitted" if report.taken else f"preset kept: {report.reason}")
            for report in reports
        ],
    )


def _assess(tables: AgeTables, world: _World) -> list[AgeAssessment]:
    model = RiskModel(tables, default_catalogue(), None, None)
    return [
        model.assess_participant(person, float(now)).age
        for person, now in zip(world.people, world.seconds, strict=True)
    ]


def _without_faces(
    tables: AgeTables, world: _World, found: Sequence[AgeAssessment]
) -> list[AgeAssessment]:
    """Return assessments without what was read off a face; the same where there was none."""
    model = RiskModel(tables, default_catalogue(), None, None)
    result = list(found)
    for i in np.flatnonzero(world.with_face).tolist():
        person = world.people[i]
        kept = tuple(item for item in person.age_evidence if not is_face(item))
        blind = replace(person, age_evidence=kept)
        result[i] = model.assess_participant(blind, float(world.seconds[i])).age
    return result


def _outcome(world: _World, views: Sequence[Sequence[AgeAssessment]], policy: Policy) -> Outcome:
    """Return what a policy does where every view of the evidence has to let somebody through."""
    admitted = np.array(
        [
            all(
                admission(view[i], policy.for_participant(person.located_region))
                is Admission.ADULTS
                for view in views
            )
            for i, person in enumerate(world.people)
        ],
        dtype=np.bool_,
    )
    minor = world.ages < ADULT_AGE_YEARS
    pairs = _pairs(world, np.ones_like(admitted))
    inside = _pairs(world, admitted)
    good = np.array([minor[a] == minor[b] for a, b in pairs], dtype=np.bool_)
    mixed = np.array([minor[a] != minor[b] for a, b in inside], dtype=np.bool_)
    allowed, allowed_inside = (
        np.array(
            [
                admitted[a] and admitted[b] and all(_allows(policy, world, v, a, b) for v in views)
                for a, b in some
            ],
            dtype=np.bool_,
        )
        for some in (pairs, inside)
    )
    return Outcome(
        minors_admitted=share_of(admitted, minor),
        minors_admitted_by_face=share_of(admitted, minor & world.with_face),
        mixed_among_allowed=share_of(mixed, allowed_inside),
        good_allowed=share_of(allowed, good),
    )


def _pairs(world: _World, chosen: Mask) -> list[tuple[int, int]]:
    """Return random pairs of some people, who share nobody and no household."""
    order = [int(i) for i in world.order if chosen[i]]
    return [
        (a, b)
        for a, b in zip(order[::2], order[1::2], strict=False)
        if world.households[a] != world.households[b]
    ]


def _allows(policy: Policy, world: _World, view: Sequence[AgeAssessment], a: int, b: int) -> bool:
    """Return whether a pair is allowed on its ages alone, whatever either did before."""
    lines_a, lines_b = (
        policy.for_participant(world.people[side].located_region) for side in (a, b)
    )
    lines = policy.stricter(lines_a, lines_b)
    risk = pair_risk(minor_adult_probability(view[a], view[b], lines.adult_ages), None)
    decision = decide(lines, Side(view[a], lines_a), Side(view[b], lines_b), risk=risk)
    return decision.kind is DecisionKind.ALLOW


def _slope(world: _World, view: Sequence[AgeAssessment], chosen: Mask, *, seed: int) -> Estimate:
    rows = np.flatnonzero(chosen).tolist()
    claim = np.array([view[i].probability_below(ADULT_AGE_YEARS) for i in rows])
    minor = (world.ages[rows] < ADULT_AGE_YEARS).astype(np.float64)

    def measure(drawn: Array) -> dict[str, float]:
        return {"slope": calibration_line(claim, minor, drawn).slope}

    draws = Resamples([[world.households[i] for i in rows]], count=_RESAMPLES, seed=seed)
    return draws.estimate(measure, np.ones(len(rows)))["slope"]
