"""``pairguard-train certify``: turn promises into numbers, on people kept out of training."""

from __future__ import annotations

import argparse
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pairguard.bundle.loading import load_bundle
from pairguard.bundle.manifest import CERTIFICATE
from pairguard.bundle.rewriting import rewrite_bundle
from pairguard.errors import ConfigurationRefused, PairguardError
from pairguard.policy.document import is_region_code
from pairguard.policy.promises import CONFIDENCE_BOUNDS, RATE_BOUNDS, Promise, PromiseKind
from pairguard.policy.regions import Policy
from pairguard_training.certification.certifying import KeptPromise, certify, strata_of
from pairguard_training.certification.document import (
    Circumstances,
    certificate_json,
    certificate_text,
    refusal,
    time_text,
)
from pairguard_training.certification.register import REGISTER, Allowance, Register, Use
from pairguard_training.certification.verified_people import Holdout, held_out_people
from pairguard_training.commands.arguments import (
    add_tables,
    positive,
    share,
    share_or_none,
    utc_time_argument,
)
from pairguard_training.commands.inputs import Say, read_policy, told_tables
from pairguard_training.harm_labels import newest_time
from pairguard_training.held_out import judging_split
from pairguard_training.tables.reading import Tables
from pairguard_training.truth import is_simulated

DEFAULT_CONFIDENCE = 0.95
MOST_VALID_DAYS = 366
_RATE_ARGUMENTS = {
    PromiseKind.MIXED_PAIRS_ALLOWED: "max_minor_adult_miss_rate",
    PromiseKind.MINORS_ADMITTED: "max_minor_admitted_rate",
    PromiseKind.ADULTS_ADMITTED: "max_adult_admitted_rate",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train certify``."""
    add_tables(parser)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the certified bundle")
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="the bundle saw none of these people: all of them count, not the test part alone",
    )
    for name in _RATE_ARGUMENTS.values():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=share,
            metavar="RATE",
            help="a promise, besides those of the policy",
        )
    parser.add_argument("--confidence", type=share, default=DEFAULT_CONFIDENCE)
    parser.add_argument(
        "--stratum",
        action="append",
        default=[],
        metavar="REGION",
        help="a region with numbers of its own; any number of these; delta is split over them",
    )
    parser.add_argument(
        "--label-error",
        type=share_or_none,
        default=0.0,
        metavar="Q",
        help="share of minors, or of adults if that is more, whose label is on the wrong side of "
        "the adult age",
    )
    parser.add_argument(
        "--issued",
        type=utc_time_argument,
        help="from when on it holds; without it the latest time in the tables",
    )
    parser.add_argument("--valid-days", type=positive, default=90)
    parser.add_argument(
        "--register", type=Path, help=f"who was used before; without it {REGISTER} beside --tables"
    )
    parser.add_argument(
        "--reuse",
        action="store_true",
        help="certify on people who were used before, with the delta that is left",
    )


def run(arguments: Namespace, say: Say) -> None:
    """Certify a bundle and write it with its certificate."""
    policy = read_policy(arguments.policy)
    asked = _asked(arguments, policy)
    _check(arguments)
    bundle = load_bundle(arguments.bundle)
    manifest = bundle.manifest
    tables = told_tables(arguments, bundle.model.catalogue, say)
    same = tables.data_hash == manifest.data_hash
    if arguments.unseen and same:
        raise ConfigurationRefused(
            ["--unseen: the bundle was fitted to these very tables; leave it out"]
        )
    if not same and not arguments.unseen:
        raise ConfigurationRefused(
            [
                (
                    "--tables: the bundle was fitted to others, and who of these it saw is not "
                    "known; give those tables, or --unseen if it saw none of these people"
                )
            ]
        )
    holdout = held_out_people(
        bundle.model,
        tables,
        judging_split(manifest, tables, seed=arguments.seed, unseen=arguments.unseen),
        policy=policy,
        regions=frozenset(arguments.stratum),
        unseen=arguments.unseen,
    )
    register = arguments.register or arguments.tables.resolve().parent / REGISTER
    ages = {code: sorted(policy.for_participant(code).adult_ages) for code in _places(policy)}
    seen = f"tables {tables.data_hash}; missing {sorted(arguments.missing)}; adult ages {ages}"
    use = _use(manifest.model_hash, holdout, asked, arguments, seen=seen)
    with Register.opened(register) as opened:
        allowance = opened.allowance(holdout.people.ids, use)
        if allowance.earlier and not arguments.reuse:
            raise ConfigurationRefused(
                [
                    (
                        f"{register}: people of these tables were used for {allowance.earlier} "
                        "other certification(s); take others, or give --reuse: of delta "
                        f"{allowance.delta_share:.3g} would be left"
                    )
                ]
            )
        promises = [
            certify(
                holdout.people,
                promise,
                regions=frozenset(arguments.stratum),
                holdout_hash=holdout.content_hash,
                label_error=arguments.label_error,
                delta_share=allowance.delta_share,
            )
            for promise in asked
        ]
        _refuse_without_numbers(promises)
        # Before anything is seen: what fails afterwards was seen all the same.
        opened.add(holdout.people.ids, use)
    print(f"\nbundle {bundle.version}\n{certificate_text(promises, holdout)}\n")
    _write(arguments, promises, holdout, allowance, tables=tables, policy=policy, say=say)


def _write(
    arguments: Namespace,
    promises: list[KeptPromise],
    holdout: Holdout,
    allowance: Allowance,
    *,
    tables: Tables,
    policy: Policy,
    say: Say,
) -> None:
    bundle = load_bundle(arguments.bundle)
    newest = newest_time(tables)
    issued: datetime = arguments.issued or newest
    content = certificate_json(
        promises,
        holdout,
        allowance,
        Circumstances(
            model_hash=bundle.manifest.model_hash,
            bundle_version=bundle.version,
            data_hash=tables.data_hash,
            issue_time=issued,
            valid_days=arguments.valid_days,
            data_until=newest,
            unseen=arguments.unseen,
            label_error=arguments.label_error,
            policy_version=policy.version,
            simulated=is_simulated(arguments.tables),
        ),
    )
    rewrite_bundle(
        arguments.bundle,
        arguments.out,
        {CERTIFICATE: content},
        notes=[f"Certified on {holdout.people.sampling.size} people; see {CERTIFICATE}."],
    )
    certified = load_bundle(arguments.out)
    until = issued + timedelta(days=arguments.valid_days)
    say(f"written and verified: {arguments.out}, version {certified.version}")
    say(f"the certificate holds from {time_text(issued)} to {time_text(until)}")
    if until <= datetime.now(UTC):
        say("note: that is past already; a server uses none of its numbers")
    say("next: pairguard-train evaluate, unless these models were, then")
    say(f"      pairguard-train publish {arguments.out} --to var/bundles --evaluation FILE")


def _asked(arguments: Namespace, policy: Policy) -> list[Promise]:
    """Return the promises of the policy and of the command line, each once."""
    lines = (policy.default, *policy.regions.values())
    asked = {promise for each in lines for promise in each.promises}
    for kind, name in _RATE_ARGUMENTS.items():
        rate = getattr(arguments, name)
        if rate is not None:
            asked.add(Promise(kind, rate, arguments.confidence))
    if not asked:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in _RATE_ARGUMENTS.values())
        raise ConfigurationRefused([f"nothing is promised: give a policy that does, or {options}"])
    return sorted(asked)


def _check(arguments: Namespace) -> None:
    problems = [
        f"--stratum {code}: must be a region such as US or US-CA"
        for code in arguments.stratum
        if not is_region_code(code)
    ]
    if arguments.valid_days > MOST_VALID_DAYS:
        problems.append(f"--valid-days: must be at most {MOST_VALID_DAYS}")
    low, high = CONFIDENCE_BOUNDS
    if not low <= arguments.confidence <= high:
        problems.append(f"--confidence: must lie from {low:g} to {high:g}")
    low, high = RATE_BOUNDS
    for name in _RATE_ARGUMENTS.values():
        rate = getattr(arguments, name)
        if rate is not None and not low <= rate <= high:
            problems.append(f"--{name.replace('_', '-')}: must lie from {low:g} to {high:g}")
    if arguments.out.exists():
        problems.append(f"--out: {arguments.out} is there already")
    if problems:
        raise ConfigurationRefused(problems)


def _places(policy: Policy) -> list[str]:
    return ["", *sorted(policy.regions)]


def _use(
    model_hash: str, holdout: Holdout, asked: list[Promise], arguments: Namespace, *, seen: str
) -> Use:
    """Return what is asked of whom, with all (``seen``) that scores follow from besides."""
    regions = frozenset(arguments.stratum)
    said = [f"{each.kind} {each.max_rate!r} {each.confidence!r}" for each in asked]
    said += [f"strata {' '.join(sorted(regions))}", f"label error {arguments.label_error!r}", seen]
    return Use(
        model_hash,
        holdout.content_hash,
        "; ".join(said),
        numbers=sum(len(strata_of(each.kind, regions)) for each in asked),
    )


class TooFewPeople(PairguardError):
    """Raise where not one number could be certified; says how many people would suffice."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems), reason="TOO_FEW_PEOPLE")


def _refuse_without_numbers(promises: list[KeptPromise]) -> None:
    found = [number for kept in promises for number in kept.strata]
    if any(number.threshold is not None for number in found):
        return
    raise TooFewPeople(
        [
            f"{kept.promise.kind} at most {kept.promise.max_rate:g}, {number.stratum}: "
            f"{refusal(number)}"
            for kept in promises
            for number in kept.strata
        ]
    )
