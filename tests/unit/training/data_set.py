"""A small, valid data set written by hand, for tests that break it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def frames() -> dict[str, pl.DataFrame]:
    """Return five valid tables; snapshot s3 knows nothing but its ids."""
    return {
        "snapshots": pl.DataFrame(
            {
                "snapshot_id": ["s1", "s2", "s3"],
                "participant_id": ["a", "b", "c"],
                "observed_time": [NOW, NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)],
                "region": ["GB", "US", None],
                "language": ["en", "en", None],
                "entry_path": ["random_video", "invite_link", None],
                "cluster_id": ["h1", "h1", None],
                "interests": [["music", "films"], [], None],
                "signal.session_seconds": [12.5, float("nan"), None],
                "signal.vpn": [0.0, 1.0, None],
                "signal.history.reports_received_30d": [2.0, None, None],
                "attribute.browser": ["chrome", None, None],
                "audit.sex": ["male", "female", None],
            }
        ),
        "age_evidence": pl.DataFrame(
            {
                "snapshot_id": ["s1", "s1", "s1", "s2", "s2"],
                "evidence_id": ["e1", "e2", "e3", "e4", "e5"],
                "kind": [
                    "self_declared",
                    "facial_age_estimate",
                    "age_check",
                    "platform_age_range",
                    "verified_age",
                ],
                "observed_time": [NOW - timedelta(days=day) for day in (30, 3, 2, 1, 1)],
                "declared_time": [NOW - timedelta(days=40), None, None, None, None],
                "expire_time": [None, None, NOW + timedelta(days=300), None, None],
                "provider": [None, "yoti", None, None, None],
                "binding": ["ACCOUNT", "LIVE_PERSON", "ACCOUNT", "DEVICE", None],
                "method": [None, None, "CREDIT_CARD", None, "ID_DOCUMENT"],
                "platform": [None, None, None, "APPLE", None],
                "assurance": [None, None, None, "CONFIRMED", None],
                "age_years": [None, None, None, None, 17.0],
                "birth_year": [2004, None, None, None, None],
                "gate_years": [18.0, None, None, None, None],
                "lower_years": [None, None, None, 16, None],
                "upper_years": [None, None, None, 17, None],
                "mean_years": [None, 21.5, None, None, None],
                "threshold_years": [None, None, 18.0, None, None],
                "result": [None, None, "OVER", None, None],
                "liveness": [None, "PASSED", None, None, None],
                "quality": [None, 2.5, None, None, None],
                "capture_session": [None, "k1", None, None, None],
            }
        ),
        "pairs": pl.DataFrame(
            {
                "pair_id": ["p1", "p2"],
                "snapshot_a": ["s1", "s2"],
                "snapshot_b": ["s2", "s3"],
                "proposed_time": [NOW + timedelta(minutes=3), NOW + timedelta(minutes=4)],
                "modality": ["VIDEO", "TEXT"],
                "wait_seconds": [2.0, 3.0],
                "decision": ["ALLOW", "REROUTE"],
                "allow_probability": [0.98, 0.0],
                "chat_started": [True, False],
            }
        ),
        "outcomes": pl.DataFrame(
            {
                "pair_id": ["p1", "p1"],
                "kind": ["chat_ended", "report"],
                "category": [None, "HARASSMENT"],
                "verdict": pl.Series([None, None], dtype=pl.String),
                "reporter_id": [None, "a"],
                "reported_id": [None, "b"],
                "duration_seconds": [30.0, None],
                "observed_time": [NOW + timedelta(minutes=5), NOW + timedelta(minutes=5)],
                "received_time": [NOW + timedelta(minutes=5), NOW + timedelta(minutes=9)],
            }
        ),
        "age_labels": pl.DataFrame(
            {
                "participant_id": ["b"],
                "age_years": [17.0],
                "verified_time": [NOW - timedelta(days=1)],
                "method": ["ID_DOCUMENT"],
                "sampling_probability": [0.2],
                "evidence_id": ["e5"],
            }
        ),
    }


def write(directory: Path, tables: dict[str, pl.DataFrame]) -> Path:
    """Write tables as they are, right or wrong."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.write_parquet(directory / f"{name}.parquet")
    return directory
