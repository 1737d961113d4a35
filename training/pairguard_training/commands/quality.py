"""``pairguard-train quality``: how near a fit comes to the oracle, on simulated platforms."""

from __future__ import annotations

import argparse
import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from pairguard_training.commands.arguments import add_seed, positive
from pairguard_training.commands.inputs import Say, read_policy
from pairguard_training.manifest_figures import figure
from pairguard_training.quality.measuring import Bench, Quality
from pairguard_training.quality.sizes import HARM_RECALL_BOUND, SIZES

_OTHER_SEED = 1_000
"""What is judged is of a seed so much higher than what was learned."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pairguard-train quality``."""
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--only", choices=("mixed", "harm"), help="one of the two; without it both")
    parser.add_argument("--policy", type=Path, help="TOML; without it the one of the package")
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--out", type=Path, help="JSON to write")
    add_seed(parser)


def run(arguments: Namespace, say: Say) -> None:
    """Measure, print and, where asked, write."""
    sizes = SIZES[arguments.size]
    bench = Bench(read_policy(arguments.policy), arguments.threads, sizes.resamples, say)
    seeds = (arguments.seed, arguments.seed + _OTHER_SEED)
    found: list[Quality] = []
    if arguments.only != "harm":
        found += [
            bench.mixed_pairs(platform, sizes.mixed_judged, bound=bound, seeds=seeds)
            for bound, platform in sizes.mixed
        ]
    if arguments.only != "mixed":
        found.append(
            bench.harm(
                sizes.harm,
                sizes.harm_judged,
                bound=HARM_RECALL_BOUND,
                negatives=sizes.negatives,
                seeds=seeds,
            )
        )
    print("\nSIMULATED: these figures speak of no real platform")
    for quality in found:
        print(quality_text(quality))
    if arguments.out is not None:
        _write(arguments.out, found)
        say(f"written: {arguments.out}")


def quality_text(quality: Quality) -> str:
    """Return one measurement for people."""
    counts = ", ".join(f"{count} {name}" for name, count in quality.counts.items())
    seeds = f"learned from seed {quality.learned_seed}, judged on seed {quality.judged_seed}"
    lines = [
        f"\n{quality.title}",
        f"  {seeds}, intervals of 95 % by redrawing people",
        f"  {counts}",
    ]
    for name, estimate in quality.measures.items():
        aim = ""
        if name == "ratio":
            side = "at least" if quality.bound < 1.0 else "at most"
            aim = f"  ({side} {quality.bound:g} is the aim)"
        lines.append(
            f"  {name:<32} {estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]{aim}"
        )
    return "\n".join(lines)


def _write(path: Path, found: list[Quality]) -> None:
    documents = []
    for quality in found:
        document = asdict(quality)
        document["measures"] = {
            name: {key: figure(value) for key, value in asdict(estimate).items()}
            for name, estimate in quality.measures.items()
        }
        documents.append(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    text = json.dumps({"simulated": True, "measurements": documents}, indent=1, sort_keys=True)
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)
