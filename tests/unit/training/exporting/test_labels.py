"""Whose verification becomes the label."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pairguard.v1 import participant_pb2
from pairguard_training.exporting.conversion import VERIFICATIONS
from pairguard_training.exporting.drafts import Verification
from pairguard_training.exporting.labels import AgeLabels, age_labels
from pairguard_training.exporting.verified_ages import verification

DAY_0 = datetime(2026, 3, 1, tzinfo=UTC)


def told(
    evidence_id: str | None, age: float, day: int, method: str = "ID_DOCUMENT"
) -> Verification:
    time = int((DAY_0 + timedelta(days=day)).timestamp() * 1e6)
    return Verification("somebody", evidence_id, method, age, time)


def labels(*verifications: Verification) -> AgeLabels:
    raw = {**VERIFICATIONS, "verified_time": pl.Int64()}
    frame = pl.DataFrame(list(verifications), schema=raw, orient="row")
    return age_labels(frame.with_columns(pl.col("verified_time").cast(pl.Datetime("us", "UTC"))))


@pytest.mark.parametrize(
    ("verifications", "evidence_id", "contradicted"),
    [
        ((told("a", 20, 0),), "a", 0),
        # The first, since the second may be the same document again.
        ((told("b", 20, 9), told("a", 20, 0)), "a", 0),
        # Whatever they say: choosing by agreement would flatter the checks.
        ((told("b", 40, 9), told("a", 20, 0)), "a", 1),
        # A moderator's latest review of all.
        ((told("a", 20, 0), told("m", 15, 5, "MODERATOR")), "m", 1),
        ((told("m", 15, 5, "MODERATOR"), told("n", 19, 6, "MODERATOR")), "n", 1),
        ((told("m", 15, 5, "MODERATOR"), told("z", 19, 7)), "m", 1),
        # A year later a year older is no contradiction.
        ((told("a", 20, 0), told("b", 23, 3 * 365)), "a", 0),
    ],
)
def test_a_label_is_chosen_by_when_and_how_and_never_by_what(
    verifications: tuple[Verification, ...], evidence_id: str, contradicted: int
) -> None:
    found = labels(*verifications)
    assert found.frame["evidence_id"].to_list() == [evidence_id]
    assert found.contradicted == contradicted
    assert found.frame["sampling_probability"].to_list() == [None]


def test_nobody_verified_is_no_label() -> None:
    found = labels()
    assert found.frame.is_empty()
    assert found.contradicted == 0


def verified(text: str, time: datetime = DAY_0) -> Verification | None:
    content = participant_pb2.VerifiedAge(
        method=participant_pb2.VERIFICATION_METHOD_ID_DOCUMENT,
        birth_year=2008,
        liveness=participant_pb2.Liveness.Value(f"LIVENESS_{text}"),
    )
    return verification(
        content, participant_id="p", evidence_id=None, time=int(time.timestamp() * 1e6)
    )


def test_a_year_of_birth_stands_for_its_middle() -> None:
    found = verified("PASSED", datetime(2026, 7, 2, 12, tzinfo=UTC))
    assert found is not None
    assert found.age_years == pytest.approx(18.0, abs=0.01)


def test_a_picture_before_the_camera_establishes_no_age() -> None:
    assert verified("FAILED") is None
    assert verified("UNDETERMINED") is not None
