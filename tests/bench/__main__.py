"""``make bench``: what a ScorePair call costs against a null call, and what an age posterior costs.

Prints ratios of calls per second inside the same run, their spread, and what is in them. It judges
nothing: ``docs/benchmarks.md`` says what to make of the figures.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from pairguard.bundle.defaults import default_age_tables
from pairguard.bundle.loading import load_bundle
from tests.bench.compare import Subject, compare, report
from tests.bench.posterior import posterior_report
from tests.bench.requests import bare_requests, platform_requests
from tests.bench.server_process import NULL_METHOD, measured_server

_SCORE_PAIR = "/pairguard.v1.PairRiskService/ScorePair"
_SEED = 20_261_123


def main() -> int:
    """Measure; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("var/bundles"))
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--calls", type=int, default=2_000, help="timed calls a measurement")
    parser.add_argument("--requests", type=int, default=5_000, help="different requests")
    parser.add_argument("--part", choices=("all", "posterior", "server"), default="all")
    given = parser.parse_args()
    if given.part != "server":
        _say(
            posterior_report(
                default_age_tables(), participants=1_000, rounds=given.rounds, seed=_SEED
            )
        )
        _say("")
    if given.part == "posterior":
        return 0
    bundle = load_bundle(given.bundle)
    cpus = sorted(os.sched_getaffinity(0))
    server_cpu, load_cpus = (cpus[0], frozenset(cpus[1:])) if len(cpus) > 1 else (None, None)
    null = Subject("null", NULL_METHOD, [b""])
    platform = platform_requests(given.requests, seed=_SEED, now=time.time())
    subjects = (
        Subject("ScorePair, platform traffic", _SCORE_PAIR, platform),
        Subject("ScorePair, two bare ids", _SCORE_PAIR, bare_requests(given.requests, seed=_SEED)),
    )
    _say(f"bundle {bundle.version}, seed {_SEED}, server on processor {server_cpu}")
    _say("on: interceptors, metrics, canonical log (one call in 100), holds in SQLite")
    with tempfile.TemporaryDirectory() as workplace:
        for subject in subjects:
            with measured_server(given.bundle, Path(workplace), server_cpu) as address:
                comparison = compare(
                    address,
                    baseline=null,
                    subject=subject,
                    rounds=given.rounds,
                    calls=given.calls,
                    load_cpus=load_cpus,
                )
            _say("")
            _say(report(comparison))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
