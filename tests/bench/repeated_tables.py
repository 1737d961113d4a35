"""Tables of millions of pairs, made of a simulated world that is repeated with other ids.

Owns the repetition. What comes of it is large and cheap, and no platform: worlds do not meet, and
of pairs that are added to a world nobody reports anything. It tells what a fit holds and costs, and
nothing about how good it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import polars as pl

from pairguard_training.simulation.platform import simulate

_IDS = {
    "snapshots": ("snapshot_id", "participant_id", "cluster_id"),
    "age_evidence": ("snapshot_id", "evidence_id"),
    "pairs": ("pair_id", "snapshot_a", "snapshot_b"),
    "outcomes": ("pair_id", "reporter_id", "reported_id"),
    "age_labels": ("participant_id", "evidence_id"),
}


def write_repeated(base: Path, out: Path, *, worlds: int, pairings: int) -> int:
    """Write the tables of ``base`` again and again, as folders of parts, and return the pairs.

    Args:
        base: A data set.
        out: Folder to write.
        worlds: How often everything is repeated.
        pairings: How many times as many pairs each world has: its own, and others of the same
            snapshots, that met where the first did, without a report.
    """
    frames = {name: pl.read_parquet(base / f"{name}.parquet") for name in _IDS}
    frames |= _paired_again(frames, pairings)
    for name, frame in frames.items():
        folder = out / name
        folder.mkdir(parents=True)
        for world in range(worlds):
            prefix = pl.lit(f"{world:03d}-")
            ids = [(prefix + pl.col(column)).alias(column) for column in _IDS[name]]
            frame.with_columns(ids).write_parquet(folder / f"part-{world:03d}.parquet")
    return worlds * frames["pairs"].height


def _paired_again(frames: dict[str, pl.DataFrame], pairings: int) -> dict[str, pl.DataFrame]:
    owners = frames["snapshots"].select("snapshot_id", "participant_id")
    pairs, ended = frames["pairs"], frames["outcomes"].filter(pl.col("kind") == "chat_ended")
    all_pairs, all_outcomes = [pairs], [frames["outcomes"]]
    for again in range(1, pairings):
        name = pl.col("pair_id") + f"-{again}"
        moved = pl.concat([pairs["snapshot_b"][again:], pairs["snapshot_b"][:again]])
        others = pairs.with_columns(name, moved.alias("snapshot_b"))
        sides = [
            others.join(owners, left_on=side, right_on="snapshot_id", maintain_order="left")[
                "participant_id"
            ]
            for side in ("snapshot_a", "snapshot_b")
        ]
        others = others.filter(sides[0] != sides[1])
        all_pairs.append(others)
        all_outcomes.append(ended.with_columns(name).join(others, on="pair_id", how="semi"))
    return {"pairs": pl.concat(all_pairs), "outcomes": pl.concat(all_outcomes)}


def main() -> None:
    """Write the tables that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--participants", type=int, default=20_000, help="of a world")
    parser.add_argument("--pairs", type=int, default=100_000, help="of a world, before pairings")
    parser.add_argument("--verified", type=int, default=1_000, help="of a world")
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--pairings", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    base = given.out / "world"
    simulate(
        base,
        participants=given.participants,
        pairs=given.pairs,
        seed=given.seed,
        verified=given.verified,
    )
    count = write_repeated(base, given.out, worlds=given.worlds, pairings=given.pairings)
    sys.stdout.write(f"{count:,} pairs in {given.out}\n")


if __name__ == "__main__":
    main()
