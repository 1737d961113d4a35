"""Made-up pairs, and what the bundle and the policy make of them.

Owns the pairs. Nobody in them is real: no row of any data is shown to the reader of a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pairguard.age.evidence import (
    AgeCheck,
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    FacialAgeEstimate,
    Liveness,
    Observation,
    SelfDeclared,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.policy.judgement import Judge
from pairguard.policy.reasons import Party, Reason, ReasonCode
from pairguard.policy.regions import Policy
from pairguard.policy.state import NOTHING_KEPT, KeptState, StoredState
from pairguard.risk.model import RiskModel
from pairguard.risk.participant import Participant

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Example:
    """A made-up pair and its decision.

    Attributes:
        title: What it shows.
        known: What is known of the first and of the second.
        minor: P(minor) of each under the pair's highest adult age.
        mixed: P(one is a minor and the other an adult).
        harm: P(harm report); None: there is no harm model.
        decision: ALLOW, REROUTE or BLOCK.
        reasons: In words for analysts, with whom each concerns.
        participant_text: What the first may be shown.
        checks: What each is asked for: who and which checks would do.
    """

    title: str
    known: tuple[str, str]
    minor: tuple[float, float]
    mixed: float
    harm: float | None
    decision: str
    reasons: list[str]
    participant_text: str
    checks: list[str]


@dataclass(frozen=True, slots=True)
class _Person:
    known: str
    evidence: tuple[AgeEvidence, ...] = ()
    kept: KeptState = NOTHING_KEPT


def worked_pairs(model: RiskModel, policy: Policy, *, now: float) -> list[Example]:
    """Return examples under the strictest lines of the policy: no region is told.

    Args:
        model: What assesses.
        policy: What decides.
        now: Time of the proposals, seconds since 1970.
    """
    judge = Judge(model, policy)
    return [_example(judge, title, pair, now) for title, pair in _pairs(now)]


def _pairs(now: float) -> Sequence[tuple[str, tuple[_Person, _Person]]]:
    nobody = _Person("nothing but an id")
    declared = _Person("declared 25 at sign-up", (_declared(25.0, now),))
    wallet = _Person(
        "a digital wallet said over 18 today, shown by the live person",
        (_declared(32.0, now), _over(CheckMethod.DIGITAL_WALLET, now)),
    )
    document = _Person(
        "a document gave 35 years a week ago, shown by the live person",
        (_verified(35.0, now - 7 * _DAY),),
    )
    face = _Person(
        "declared 19; a living face was estimated at 19.5 years",
        (_declared(19.0, now), _face(19.5, now)),
    )
    contradicted = _Person(
        "declared 25; a living face was estimated at 13.5 years",
        (_declared(25.0, now), _face(13.5, now)),
    )
    minor = _Person(
        "a document gave 15 years a week ago, shown by the live person",
        (_verified(15.0, now - 7 * _DAY),),
    )
    held = _Person(
        f"{document.known}; a review upheld a harm",
        document.evidence,
        KeptState(held_for=("UPHELD_HARM",), upheld_harm=True),
    )
    return (
        ("Two whom nothing is known of", (nobody, nobody)),
        ("Two who say that they are adults", (declared, declared)),
        ("Two adults who showed it", (wallet, document)),
        ("A young adult's face is not enough", (face, document)),
        ("What is said and what is seen contradict each other", (contradicted, document)),
        ("A verified minor and a verified adult", (minor, document)),
        ("Two verified minors", (minor, minor)),
        ("Somebody who was found at fault", (held, wallet)),
    )


def _example(judge: Judge, title: str, pair: tuple[_Person, _Person], now: float) -> Example:
    a, b = (
        Participant(participant_id=f"example-{side}", age_evidence=person.evidence)
        for side, person in zip("ab", pair, strict=True)
    )
    state = StoredState(a=pair[0].kept, b=pair[1].kept)
    judged = judge.judge_pair(a, b, now=now, state=state)
    adult = max(judged.lines.adult_ages)
    decision = judged.decision
    concerning_a = [r for r in decision.reasons if r.party is not Party.B]
    return Example(
        title=title,
        known=(pair[0].known, pair[1].known),
        minor=(
            judged.a.age.probability_below(adult),
            judged.b.age.probability_below(adult),
        ),
        mixed=decision.risk.minor_adult_probability,
        harm=decision.risk.harm_probability,
        decision=decision.kind.name,
        reasons=_reasons(decision.reasons),
        participant_text=concerning_a[0].participant_text if concerning_a else "",
        checks=[
            f"{_WHOM[party]}: {_methods([f.option.method for f in plan.forecasts])}"
            for party, plan in judged.checks
            if plan.forecasts
        ],
    )


def _reasons(reasons: Sequence[Reason]) -> list[str]:
    """Return each reason once, with whom it concerns."""
    whom: dict[ReasonCode, list[Party]] = {}
    for reason in reasons:
        whom.setdefault(reason.code, []).append(reason.party)
    texts = []
    for code, parties in whom.items():
        text = Reason(code, parties[0]).analyst_text
        texts.append(f"{'Each of the two' if len(parties) > 1 else _WHOM[parties[0]]}: {text}")
    return texts


_WHOM = {Party.A: "First", Party.B: "Second", Party.BOTH: "Both"}


def _methods(methods: Sequence[CheckMethod]) -> str:
    return " or ".join(method.value.lower().replace("_", " ") for method in methods)


def _declared(years: float, now: float) -> AgeEvidence:
    return _item(SelfDeclared(age_years=years), Binding.ACCOUNT, now - 90 * _DAY)


def _face(years: float, now: float) -> AgeEvidence:
    return _item(FacialAgeEstimate(years, Liveness.PASSED), Binding.LIVE_PERSON, now)


def _over(method: CheckMethod, now: float) -> AgeEvidence:
    check = AgeCheck(method, 18.0, CheckResult.OVER, Liveness.PASSED)
    return _item(check, Binding.LIVE_PERSON, now)


def _verified(years: float, time: float) -> AgeEvidence:
    verified = VerifiedAge(VerificationMethod.ID_DOCUMENT, years, liveness=Liveness.PASSED)
    return _item(verified, Binding.LIVE_PERSON, time)


def _item(observation: Observation, binding: Binding, time: float) -> AgeEvidence:
    return AgeEvidence(observation, observed_time=time, binding=binding)
