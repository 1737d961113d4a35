"""What reading for a fit takes at the most, so that it grows not back to copies of the tables."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pairguard_training.tables.writing import write_frame

_SNAPSHOTS = 1_000
_FEW, _MANY = 50_000, 300_000
_MOST_BYTES_A_PAIR = 350
"""For a pair and the end of its chat: 210 when this was written, of which 80 stay; whole 670."""

_PROGRAM = """
import sys
from pathlib import Path
from pairguard_training.tables.reading import read_tables
tables = read_tables(Path(sys.argv[1]), for_fitting=True)
assert tables.rows["outcomes"] == tables.pairs.height > tables.outcomes.height
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
"""


def _write(directory: Path, count: int) -> None:
    """Write pairs of a few snapshots, each of which ended, in row groups as ``export`` has them."""
    noon = pl.lit(datetime(2026, 3, 1, 12, tzinfo=UTC))
    names = pl.Series([f"snapshot-{row:020d}" for row in range(_SNAPSHOTS)])
    snapshots = pl.DataFrame({"snapshot_id": names, "participant_id": names})
    write_frame(
        directory / "snapshots.parquet",
        snapshots.with_columns(observed_time=noon, **{"signal.vpn": pl.lit(0.5)}),
    )
    rows = np.arange(count)
    ids = pl.DataFrame({"row": rows}).select(
        pair_id=pl.format("pair-{}", pl.col("row").cast(pl.String).str.zfill(20))
    )["pair_id"]
    pairs = pl.DataFrame(
        {
            "pair_id": ids,
            "snapshot_a": names[rows % _SNAPSHOTS],
            "snapshot_b": names[(rows + 1 + rows // _SNAPSHOTS % 7) % _SNAPSHOTS],
            "wait_seconds": rows * 0.5,
        }
    ).with_columns(
        proposed_time=noon + pl.duration(seconds=pl.int_range(pl.len())),
        modality=pl.lit("VIDEO"),
        decision=pl.lit("ALLOW"),
        allow_probability=pl.lit(0.98),
        chat_started=pl.lit(value=True),
        policy_version=pl.lit("a-policy-of-some-version"),
    )
    write_frame(directory / "pairs.parquet", pairs)
    times = {"observed_time": pairs["proposed_time"], "received_time": pairs["proposed_time"]}
    ends = pl.DataFrame({"pair_id": ids, "duration_seconds": rows * 0.25, **times})
    write_frame(directory / "outcomes.parquet", ends.with_columns(kind=pl.lit("chat_ended")))


def _peak_bytes(directory: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(directory)], capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024


# Elsewhere a process is only told the most that it or whoever started it ever had.
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_reading_for_a_fit_takes_few_bytes_a_pair_at_the_most(tmp_path: Path) -> None:
    for count in (_FEW, _MANY):
        _write(tmp_path / str(count), count)
    few, many = (_peak_bytes(tmp_path / str(count)) for count in (_FEW, _MANY))
    assert (many - few) / (_MANY - _FEW) < _MOST_BYTES_A_PAIR
