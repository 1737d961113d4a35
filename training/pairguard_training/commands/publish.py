"""``pairguard-train publish``: make a bundle the one that serves, if it passes the gates."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pairguard.bundle.directory import locate_bundle, read_bundle_files
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.bundle.publication import Expected, current_version, publish
from pairguard.bundle.signature import read_public_keys
from pairguard.errors import BundleRefused, ConfigurationRefused
from pairguard_training.commands.inputs import Say
from pairguard_training.publishing.evaluation_document import read_evaluation
from pairguard_training.publishing.gates import (
    GATES,
    Candidate,
    GateResult,
    GatesNotPassed,
    check_gates,
)
from pairguard_training.publishing.limits import GateLimits, read_limits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train publish``."""
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--to", type=Path, default=Path("var/bundles"), help="root that is served")
    parser.add_argument(
        "--evaluation",
        type=Path,
        metavar="FILE",
        help="metrics of pairguard-train evaluate, of this bundle beside the one that serves",
    )
    parser.add_argument(
        "--gates", type=Path, metavar="FILE", help="limits, TOML; without it those of the package"
    )
    parser.add_argument(
        "--require-certificate",
        action="store_true",
        help="refuse a bundle without a certificate, whatever the limits say",
    )
    parser.add_argument(
        "--public-key", type=Path, metavar="FILE", help="refuse a bundle that it did not sign"
    )
    parser.add_argument(
        "--without-gate",
        action="append",
        default=[],
        choices=GATES,
        metavar="GATE",
        help=f"publish although this gate is not passed: {', '.join(GATES)}; wants --why",
    )
    parser.add_argument("--why", default="", help="the reason, kept in the history")


def run(arguments: Namespace, say: Say) -> None:
    """Make a bundle the one that serves, if it passes the gates."""
    why = arguments.why.strip()
    if bool(arguments.without_gate) != bool(why):
        raise ConfigurationRefused(["--without-gate and --why belong together"])
    limits = _limits(arguments)
    keys = None if arguments.public_key is None else read_public_keys(arguments.public_key)
    # The directory and not the root: what is judged here is what is published.
    directory = locate_bundle(arguments.bundle)
    bundle = load_bundle(directory, public_keys=keys)
    root: Path = arguments.to
    before = current_version(root)
    expected = Expected(before, judged=bundle.version)
    if bundle.version == before:
        publish(root, directory, expected=expected, public_keys=keys)
        say(f"{root / 'current'} is {before} already")
        return
    candidate = _candidate(bundle, root, before, arguments.evaluation)
    results = check_gates(candidate, limits, now=datetime.now(UTC))
    overridden = _decide(results, set(arguments.without_gate), why, say)
    grounds: dict[str, Any] = {
        "gates": [asdict(result) for result in results],
        "limits": dict(limits.lines),
        "without_gates": overridden,
        "why": why if overridden else "",
    }
    if candidate.evaluation is not None:
        grounds["evaluation_sha256"] = candidate.evaluation.content_hash
    publish(root, directory, expected=expected, public_keys=keys, grounds=grounds)
    _say_published(bundle, root, before, say)


def _limits(arguments: Namespace) -> GateLimits:
    limits = read_limits(arguments.gates)
    if arguments.require_certificate:
        return GateLimits({**limits.lines, "certificate.required": True})
    return limits


def _candidate(
    bundle: Bundle, root: Path, before: str | None, evaluation: Path | None
) -> Candidate:
    champion_hash = None
    if before is not None:
        try:
            champion_hash = read_bundle_files(root / before).manifest.model_hash
        except BundleRefused:
            champion_hash = None  # damaged: then it is only known by its name
    return Candidate(
        version=bundle.version,
        model_hash=bundle.manifest.model_hash,
        certificate=bundle.certificate,
        champion_version=before,
        champion_model_hash=champion_hash,
        evaluation=None if evaluation is None else read_evaluation(evaluation),
    )


def _decide(results: list[GateResult], without: set[str], why: str, say: Say) -> list[str]:
    """Return the gates that were not passed and are gone round; refuse where others are not."""
    failed = [result for result in results if not result.passed and result.name not in without]
    overridden = [each.name for each in results if not each.passed and each.name in without]
    for result in results:
        word = "passed" if result.passed else "NOT PASSED"
        if result.name in overridden:
            word = "NOT PASSED, gone round"
        say(f"gate {result.name}: {word}: {result.told}")
    if failed:
        raise GatesNotPassed(failed)
    if overridden:
        say(f"gone round by --without-gate {', '.join(overridden)}: {why}")
    for name in sorted(without - set(overridden)):
        say(f"--without-gate {name} was not needed")
    return overridden


def _say_published(bundle: Bundle, root: Path, before: str | None, say: Say) -> None:
    say(
        f"published: {root / 'current'} is {bundle.version} (before: {before or 'nothing'}), "
        f"loaded in {bundle.load_seconds:.2f} s"
    )
    for note in bundle.manifest.notes:
        say(f"note: {note}")
    if not bundle.certificate.get("certified", False):
        say("note: no certificate: the bundle promises no miss rate")
    say("a running server takes it within some seconds; pairguard-train rollback goes back")
    say(f"next: PAIRGUARD_BUNDLE_PATH={root} pairguard-server")
