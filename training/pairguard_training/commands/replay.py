"""``pairguard-train replay``: what a policy or a bundle would have decided."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any

from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.errors import ConfigurationRefused
from pairguard.policy.certificate import CertificateMalformed, parse_certificate
from pairguard.policy.certified_lines import asks_for_promises, certified_policy
from pairguard.policy.judgement import Judge
from pairguard.policy.regions import Policy
from pairguard.store.opening import open_store, sqlite_path, store_problem
from pairguard.store.ports import ParticipantStore
from pairguard_training.commands.arguments import (
    add_seed,
    positive,
    positive_number,
    utc_time_argument,
)
from pairguard_training.commands.inputs import Say, read_policy, told_tables
from pairguard_training.harm_labels import REPORT_WINDOW_DAYS
from pairguard_training.replaying.journal_source import JournalSource, ShadowCounts
from pairguard_training.replaying.outcomes import NO_OUTCOMES, journal_outcomes
from pairguard_training.replaying.result import Replay
from pairguard_training.replaying.result_json import replay_json
from pairguard_training.replaying.result_text import OF_RANKINGS, replay_text
from pairguard_training.replaying.self_check import Served
from pairguard_training.replaying.tables_source import table_decisions, table_outcomes
from pairguard_training.replaying.tally import replay
from pairguard_training.truth import read_truth

_STORE_SECONDS = 5.0  # nobody waits for an answer here


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train replay``."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--journal", metavar="STORE", help="a service's store: sqlite:FILE or redis://HOST:PORT/DB"
    )
    source.add_argument("--tables", type=Path, help="folder of the five tables")
    parser.add_argument("--key-file", type=Path, help="identity keys; beside a sqlite store if not")
    parser.add_argument("--password-file", type=Path, help="of a Redis store that wants one")
    parser.add_argument("--bundle", type=Path, required=True, help="whose models decide again")
    parser.add_argument("--policy", type=Path, help="under which; else the one of the package")
    parser.add_argument(
        "--logged-bundle", type=Path, help="what decided, for the self-check; else --bundle"
    )
    parser.add_argument("--logged-policy", type=Path, help="under which it decided; else --policy")
    parser.add_argument(
        "--rankings",
        action="store_true",
        help="candidates of rankings, each with its seeker, in place of proposed pairs",
    )
    parser.add_argument("--since", type=utc_time_argument, help="decisions from this time on")
    parser.add_argument("--until", type=utc_time_argument, help="decisions before this time")
    parser.add_argument("--missing", action="append", default=[], metavar="COLUMN=CODE")
    parser.add_argument("--report-window-days", type=positive_number, default=REPORT_WINDOW_DAYS)
    parser.add_argument("--resamples", type=positive, default=200, help="draws of people")
    parser.add_argument("--out", type=Path, help="JSON to write")
    add_seed(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Decide logged decisions again and tell what would change."""
    if arguments.rankings and arguments.journal is None:
        raise ConfigurationRefused(["--rankings: only a journal tells rankings"])
    policy = read_policy(arguments.policy)
    bundle = load_bundle(arguments.bundle)
    judge = Judge(bundle.model, _as_served(policy, bundle, say))
    served = _served(arguments, judge, bundle.version, say)
    about: dict[str, Any] = {
        "bundle_version": bundle.version,
        "policy_version": policy.version,
        "logged_bundle_version": served.bundle_version,
        "logged_policy_version": served.policy_version,
    }
    say(f"deciding again with bundle {bundle.version} under policy {policy.version}")
    if arguments.tables is not None:
        found, of_data = _over_tables(arguments, judge, policy, served, say)
        left_out, shadow = {}, ShadowCounts()
        about |= {"source": "tables", **of_data}
    else:
        found, source = _over_journal(arguments, judge, served, say)
        left_out, shadow = dict(source.left_out), source.shadow
        about |= {
            "source": "rankings of a journal" if arguments.rankings else "journal",
            "data_hash": "",
            "simulated": False,
        }
    if arguments.rankings:
        print(f"\n{OF_RANKINGS}")
    print(f"\n{replay_text(found)}")
    _print_rest(left_out, shadow)
    if arguments.out is not None:
        _write(arguments.out, replay_json(found, about=about, left_out=left_out, shadow=shadow))
        say(f"written: {arguments.out}")


def _served(arguments: Namespace, judge: Judge, bundle_version: str, say: Say) -> Served:
    """Return what decided; what is not given is the candidate's own."""
    if arguments.logged_policy is None and arguments.logged_bundle is None:
        return Served(judge, bundle_version, judge.policy.version)
    policy = read_policy(arguments.logged_policy or arguments.policy)
    bundle = load_bundle(arguments.logged_bundle or arguments.bundle)
    return Served(
        Judge(bundle.model, _as_served(policy, bundle, say)), bundle.version, policy.version
    )


def _as_served(policy: Policy, bundle: Bundle, say: Say) -> Policy:
    """Return the policy with the numbers that the bundle's certificate gives its promises."""
    if not asks_for_promises(policy):
        return policy
    certificate = None
    with suppress(CertificateMalformed):
        found = parse_certificate(bundle.certificate)
        certificate = found if found.model_hash == bundle.manifest.model_hash else None
    which = "no certificate may be used" if certificate is None else "its certificate in force"
    say(f"note: policy {policy.version} asks for promises; bundle {bundle.version}: {which}")
    return certified_policy(policy, certificate, usable=certificate is not None)[0]


def _over_tables(
    arguments: Namespace, judge: Judge, policy: Policy, served: Served, say: Say
) -> tuple[Replay, dict[str, Any]]:
    tables = told_tables(arguments, judge.model.catalogue, say)
    truth = read_truth(arguments.tables, tables)
    if truth.simulated:
        say("SIMULATED data: no figure below speaks of a real platform")
    since, until = _times(arguments)
    found = replay(
        (each for each in table_decisions(tables) if since <= each.time < until),
        judge,
        table_outcomes(tables, truth, policy, window_days=arguments.report_window_days),
        # Tables name versions, but not what was kept: nothing can be expected to come out the same.
        served=None if arguments.logged_bundle is None else served,
        draws=arguments.resamples,
        seed=arguments.seed,
    )
    return found, {"data_hash": tables.data_hash, "simulated": truth.simulated}


def _over_journal(
    arguments: Namespace, judge: Judge, served: Served, say: Say
) -> tuple[Replay, JournalSource]:
    since, until = _times(arguments)
    with _opened(arguments) as store:
        say("reading events for outcomes")
        # An event names a ranking, and seldom which of its many pairs.
        outcomes = (
            NO_OUTCOMES
            if arguments.rankings
            else journal_outcomes(store, window_days=arguments.report_window_days)
        )
        source = JournalSource(store, since=since, until=until, ranked=arguments.rankings)
        say("deciding again")
        found = replay(
            source.decisions(),
            judge,
            outcomes,
            served=served,
            draws=arguments.resamples,
            seed=arguments.seed,
        )
    return found, source


@contextmanager
def _opened(arguments: Namespace) -> Iterator[ParticipantStore]:
    name: str = arguments.journal
    problem = store_problem(name)
    if problem is not None:
        raise ConfigurationRefused([f"--journal: {problem}"])
    path = sqlite_path(name)
    if path is not None and not path.is_file():
        # Opening it would make an empty one.
        raise ConfigurationRefused([f"--journal: there is no {path}"])
    if path is None and arguments.key_file is None:
        raise ConfigurationRefused(["--key-file: a Redis store needs the file of identity keys"])
    store = open_store(
        name,
        key_path=arguments.key_file,
        password_path=arguments.password_file,
        read_timeout_seconds=_STORE_SECONDS,
    )
    try:
        yield store
    finally:
        store.close()


def _times(arguments: Namespace) -> tuple[float, float]:
    since = -inf if arguments.since is None else arguments.since.timestamp()
    until = inf if arguments.until is None else arguments.until.timestamp()
    return since, until


def _print_rest(left_out: dict[str, int], shadow: ShadowCounts) -> None:
    for why, count in sorted(left_out.items()):
        print(f"left out: {count} records: {why}")
    if shadow.transitions:
        print("\nwhat a challenger beside the service would have decided")
    for (bundle, policy, answered, challenger), count in sorted(shadow.transitions.items()):
        print(f"  {count:>8}  {answered} -> {challenger}  (bundle {bundle}, policy {policy})")


def _write(out: Path, content: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary: Any = out.with_name(f".{out.name}.writing")
    temporary.write_bytes(content)
    temporary.replace(out)
