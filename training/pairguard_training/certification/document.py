"""``certificate.json``: what was certified, on whom, and what it does not promise.

Owns the form in which the service reads it (``pairguard.policy.certificate``) and the words for
people. It must not find a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pairguard import __version__
from pairguard.bundle.documents import canonical_json
from pairguard.policy.certificate import FORMAT_VERSION
from pairguard.policy.promises import PromiseKind
from pairguard_training.certification.bounds import bound_with_unverified
from pairguard_training.certification.certifying import KeptPromise, StratumNumber
from pairguard_training.certification.register import Allowance
from pairguard_training.certification.verified_people import Holdout

IN_WORDS: Final = {
    PromiseKind.MIXED_PAIRS_ALLOWED: "of pairs of a minor and an adult, at most {rate} have a "
    "minor_adult_probability that is not above the number",
    PromiseKind.MINORS_ADMITTED: "of minors, at most {rate} are admitted to the adults' pool by a "
    "gate at the number",
    PromiseKind.ADULTS_ADMITTED: "of adults, at most {rate} are admitted to the minors' pool by a "
    "gate at the number",
}
_NOT_PROMISED: Final = """\
It bounds one attempt. Who proposes again and again is bounded by the exposure budget of the policy,
not by this; nor are the meetings of one child over time.

It speaks of a minor and an adult drawn at random, each independently, from those who were sampled
for verification, within a stratum or across. A platform that pairs otherwise, or somebody who seeks
out minors, meets another mix.

It supposes that labels of adults as minors are as rare as was said: among few minors even some of
them make the people counted look more numerous than the minors are.

It speaks of a stratum as a whole. Within it a group may fare worse.

It speaks of the time of the data. People, evidence and attacks change; hence its expiry.

It speaks of verified people. Those who were asked and did not answer may differ: see the
sensitivity of each promise.

People whose region is not known or hidden were not counted: the strictest number counts for them.

Households count once. Labels that err more often than the label error says are not covered.

It covers a choice among bundles by nothing but certificates: whoever looks at these people in
another way before choosing a bundle fits to them."""
NOT_PROMISED: Final = tuple(
    " ".join(paragraph.split()) for paragraph in re.split(r"\n\n", _NOT_PROMISED)
)
SHARES: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of people who might never be verified, for the sensitivity."""
TIMES: Final = (1.0, 2.0, 5.0, 10.0)
"""How many times as often these might be missed."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a certificate is about besides its numbers.

    Attributes:
        model_hash: Which model.
        bundle_version: Of the bundle that was certified.
        data_hash: Of the tables.
        issue_time: From when on it holds.
        valid_days: For how long.
        data_until: The latest time in the tables.
        unseen: Whether all people were said to be unseen, and not those of the test part.
        label_error: Share of people whose label is on the wrong side of the adult age.
        policy_version: Whose adult ages counted.
        simulated: Whether the data are a simulation's.
    """

    model_hash: str
    bundle_version: str
    data_hash: str
    issue_time: datetime
    valid_days: int
    data_until: datetime
    unseen: bool
    label_error: float
    policy_version: str
    simulated: bool


def certificate_json(
    promises: Sequence[KeptPromise],
    holdout: Holdout,
    allowance: Allowance,
    about: Circumstances,
) -> bytes:
    """Return the content of ``certificate.json``."""
    document: dict[str, Any] = {
        "certified": True,
        "format_version": FORMAT_VERSION,
        "model_hash": about.model_hash,
        "bundle_version": about.bundle_version,
        "program_version": __version__,
        "issue_time": time_text(about.issue_time),
        "expire_time": time_text(about.issue_time + timedelta(days=about.valid_days)),
        "data_until": time_text(about.data_until),
        "data_hash": about.data_hash,
        "simulated": about.simulated,
        "policy_version": about.policy_version,
        "label_error": about.label_error,
        "holdout": {
            "hash": holdout.content_hash,
            "unseen": about.unseen,
            "people": holdout.counts,
            "sampling": "known" if holdout.sampling_known else "unknown: taken as equal",
            "earlier_certifications": allowance.earlier,
            "delta_share": allowance.delta_share,
        },
        "promises": [_promise(each) for each in promises],
        "not_promised": list(NOT_PROMISED),
    }
    return canonical_json(document)


def _promise(kept: KeptPromise) -> dict[str, Any]:
    promise = kept.promise
    return {
        "kind": promise.kind.value,
        "max_rate": promise.max_rate,
        "confidence": promise.confidence,
        "in_words": IN_WORDS[promise.kind].format(rate=f"{promise.max_rate:g}"),
        "alpha": kept.alpha,
        "label_error": kept.label_error,
        "seed": kept.seed,
        "people": kept.accepted,
        "strata": [_stratum(each) for each in kept.strata],
        "sensitivity": sensitivity(promise.max_rate),
    }


def _stratum(found: StratumNumber) -> dict[str, Any]:
    return {
        "stratum": found.stratum,
        "adult_ages": list(found.adult_ages) or [0],
        "n": found.n,
        "k": found.k,
        "delta": found.delta,
        "threshold": found.threshold,
        "needed_without_a_miss": found.needed,
        "problem": found.problem,
    }


def sensitivity(bound: float) -> list[dict[str, float]]:
    """Return what is left of a bound if a share of people is never verified and differs.

    Nothing is measured here: of people whom nobody verified nothing is known. ``worst`` supposes
    that all of them are missed.
    """
    rows = []
    for share in SHARES:
        row = {"share_never_verified": share}
        for times in TIMES:
            row[f"missed_{times:g}_times_as_often"] = bound_with_unverified(
                bound, share, times * bound
            )
        row["worst"] = bound_with_unverified(bound, share, 1.0)
        rows.append(row)
    return rows


def certificate_text(promises: Sequence[KeptPromise], holdout: Holdout) -> str:
    """Return the numbers for people."""
    lines = [f"{count:7d} {what}" for what, count in holdout.counts.items()]
    for kept in promises:
        promise = kept.promise
        words = IN_WORDS[promise.kind].format(rate=f"{promise.max_rate:g}")
        lines += [
            "",
            f"{promise.kind}: {words}",
            (
                f"  confidence {promise.confidence:g}, alpha {kept.alpha:.6g}, label error "
                f"{kept.label_error:g}, {kept.accepted} people after rejection sampling"
            ),
            f"  {'stratum':10} {'n':>6} {'k':>4} {'delta':>9} {'number':>9}",
        ]
        for each in kept.strata:
            number = "-" if each.threshold is None else f"{each.threshold:g}"
            note = refusal(each)
            lines.append(
                f"  {each.stratum:10} {each.n:6d} {each.k:4d} {each.delta:9.3g} {number:>9}"
                + (f"  {note}" if note else "")
            )
    return "\n".join(lines)


def refusal(found: StratumNumber) -> str:
    """Return why there is no number; "": there is one."""
    if found.problem:
        return found.problem
    if found.threshold is None:
        return f"too few: {found.n} of the {found.needed} that would suffice with no miss"
    return ""


def time_text(time: datetime) -> str:
    """Return a time as certificates write it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
