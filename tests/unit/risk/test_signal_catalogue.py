from __future__ import annotations

import math
import tomllib
from typing import Any

import numpy as np
import pytest

from pairguard.errors import InvalidInput
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.participant import Participant
from pairguard.risk.signal import Direction, SignalSource
from tests.unit.risk.trained import SMALL_CATALOGUE, default_catalogue, small_catalogue


def _column(catalogue: SignalCatalogue, participant: Participant, name: str) -> float:
    return float(catalogue.vector(participant).values[catalogue.columns.index(name)])


def test_bare_participant_is_unknown_everywhere() -> None:
    vector = small_catalogue().vector(Participant("p"))
    assert np.isnan(vector.values).all()
    assert vector.values.shape == (len(small_catalogue().columns),)
    assert vector.unknown_names == ()


def test_values_land_in_their_columns_and_are_clipped_to_the_range() -> None:
    catalogue = small_catalogue()
    participant = Participant(
        "p",
        signals={"hour, local": 99.0, "vpn": 1.0, "days": -5.0},
        attributes={"os": "android"},
        interests=("music",),
        history={"history.reports": 2.0, "history.not_in_the_catalogue": 1.0},
    )
    assert _column(catalogue, participant, "hour, local") == 24.0
    assert _column(catalogue, participant, "vpn") == 1.0
    assert _column(catalogue, participant, "days") == 0.0
    assert _column(catalogue, participant, "os") == 1.0
    assert _column(catalogue, participant, "history.reports") == 2.0
    assert math.isnan(_column(catalogue, participant, "history.skips"))
    assert [_column(catalogue, participant, f"interests={t}") for t in catalogue.interests] == [
        0.0,
        1.0,
        0.0,
    ]
    assert catalogue.vector(participant).unknown_names == ()


def test_history_sent_by_a_caller_is_ignored_and_listed() -> None:
    sent = Participant("p", signals={"history.reports": 0.0})
    vector = small_catalogue().vector(sent)
    assert np.isnan(vector.values).all()
    assert vector.unknown_names == ("history.reports",)


def test_unknown_names_categories_and_tags_are_listed_sorted_and_not_used() -> None:
    sent = Participant(
        "p",
        signals={"zzz": 1.0, "os": 1.0},
        attributes={"os": "beos", "vpn": "yes"},
        interests=("chess",),
    )
    vector = small_catalogue().vector(sent)
    assert vector.unknown_names == ("interests=chess", "os", "os=beos", "vpn", "zzz")
    # Only unlisted tags are unknown interests, not "none".
    assert np.isnan(vector.values).all()


def test_not_a_number_stays_unknown_and_keeps_no_payload() -> None:
    odd = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\xff", dtype=np.float64)[0]
    values = small_catalogue().vector(Participant("p", signals={"days": float(odd)})).values
    assert values.tobytes() == small_catalogue().vector(Participant("p")).values.tobytes()


def test_default_catalogue_reads_back_to_the_same_hash() -> None:
    catalogue = default_catalogue()
    again = SignalCatalogue.from_mapping(tomllib.loads(catalogue.to_toml()))
    assert again.signals == catalogue.signals
    assert again.interests == catalogue.interests
    assert again.schema_hash() == catalogue.schema_hash()
    assert SignalCatalogue.from_mapping(catalogue.to_mapping()).schema_hash() == again.schema_hash()


def test_default_catalogue_keeps_report_counts_from_the_age_model() -> None:
    catalogue = default_catalogue()
    seen = {catalogue.columns[index] for index in catalogue.age_columns}
    counted = {s.name for s in catalogue.signals if s.source is SignalSource.HISTORY}
    assert seen
    assert not seen & counted
    assert {"history.reports_received_30d", "history.upheld_harm_365d"} <= {
        s.name for s in catalogue.signals if s.direction is Direction.INCREASING
    }


def test_default_catalogue_ranges_units_and_groups_are_complete() -> None:
    catalogue = default_catalogue()
    assert 60 <= len(catalogue.signals) <= 70
    for signal in catalogue.signals:
        if signal.kind == "number":
            assert signal.unit
            assert signal.minimum is not None
            assert signal.maximum is not None
        assert signal.group not in {"signals", "attributes"}
    assert len({s.group for s in catalogue.signals}) <= 10


def test_schema_hash_changes_with_any_part_of_the_meaning() -> None:
    hashes = {small_catalogue().schema_hash()}
    for change in ({"maximum": 23.0}, {"age_input": False}, {"direction": "increasing"}):
        signals = [dict(s) for s in SMALL_CATALOGUE["signals"]]
        signals[1] |= change
        changed = SignalCatalogue.from_mapping(SMALL_CATALOGUE | {"signals": signals})
        hashes.add(changed.schema_hash())
    assert len(hashes) == 4


@pytest.mark.parametrize("name", ["a, b", "Wie alt?", "年齢", 'quote " and \\', "=", "[x]", "😀"])
def test_names_may_hold_any_printable_text(name: str) -> None:
    catalogue = SignalCatalogue.from_mapping({"signals": [{"name": name, "kind": "number"}]})
    assert SignalCatalogue.from_mapping(tomllib.loads(catalogue.to_toml())).columns == (name,)
    assert _column(catalogue, Participant("p", signals={name: 3.0}), name) == 3.0


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"name": "vpn", "kind": "number"}, "signals[1].name"),
        ({"name": "", "kind": "number"}, "signals[1].name"),
        ({"name": "a\nb", "kind": "number"}, "signals[1].name"),
        ({"name": "x", "kind": "numeric"}, "signals[1].kind"),
        ({"name": "x"}, "signals[1].kind"),
        ({"name": "x", "kind": "number", "minimum": 2, "maximum": 2}, "signals[1].minimum"),
        ({"name": "x", "kind": "number", "maximum": math.inf}, "signals[1].maximum"),
        ({"name": "x", "kind": "number", "maximum": True}, "signals[1].maximum"),
        ({"name": "x", "kind": "category"}, "signals[1].categories"),
        ({"name": "x", "kind": "number", "categories": ["a"]}, "signals[1].categories"),
        ({"name": "x", "kind": "category", "categories": ["a", "a"]}, "signals[1].categories[1]"),
        ({"name": "history.x", "kind": "number"}, "signals[1].source"),
        ({"name": "x", "kind": "number", "source": "history"}, "signals[1].source"),
        (
            {
                "name": "history.x",
                "kind": "number",
                "source": "history",
                "direction": "increasing",
                "age_input": True,
            },
            "signals[1].age_input",
        ),
        ({"name": "x", "kind": "number", "age_input": "yes"}, "signals[1].age_input"),
        ({"name": "x", "kind": "number", "unti": "days"}, "signals[1].unti"),
        ("x", "signals[1]"),
    ],
)
def test_wrong_entry_is_refused_at_its_path(entry: Any, field: str) -> None:
    mapping = {"signals": [{"name": "vpn", "kind": "flag"}, entry]}
    with pytest.raises(InvalidInput) as refused:
        SignalCatalogue.from_mapping(mapping)
    assert field in {violation.field for violation in refused.value.violations}


def test_every_problem_is_listed_at_once() -> None:
    mapping = {"signals": [{"name": "", "kind": "x"}], "interests": ["a", "a"], "version": 2}
    with pytest.raises(InvalidInput) as refused:
        SignalCatalogue.from_mapping(mapping)
    fields = {violation.field for violation in refused.value.violations}
    assert fields == {"signals[0].name", "signals[0].kind", "interests[1]", "version"}
