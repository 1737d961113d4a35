"""A bundle knows the signals that it was trained on; what the service counts since is no error."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairguard.bundle.defaults import default_age_tables, default_catalogue
from pairguard.bundle.loading import load_bundle
from pairguard.policy.judgement import Judge
from pairguard.policy.state import StoredState
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.participant import Participant
from pairguard.risk.signal import SignalSource
from pairguard_training.bundle_build import write_fit
from pairguard_training.fitting import FitSettings, fit_model
from pairguard_training.harm_labels import newest_time
from pairguard_training.tables.reading import read_tables
from tests.unit.training.small_world import default_policy

EARLIER = {
    "history.reports_received_30d", "history.reports_received_365d", "history.upheld_harm_365d",
    "history.blocked_by_others_30d", "history.chats_started_24h", "history.skips_made_24h",
    "history.seconds_with_likely_minors_24h", "history.seconds_with_likely_adults_24h",
}  # fmt: skip
NOW = 1_772_000_000.0


def earlier_catalogue() -> SignalCatalogue:
    document = default_catalogue().to_mapping()
    kept = [s for s in document["signals"] if s["source"] == "request" or s["name"] in EARLIER]
    return SignalCatalogue.from_mapping(document | {"signals": kept})


def counted(names: set[str]) -> dict[str, float]:
    return dict.fromkeys(sorted(names), 1.0)


@pytest.fixture(scope="module")
def earlier_bundle(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the earlier catalogue, fitted to tables that hold more than it knows."""
    tables = read_tables(small_world, catalogue=earlier_catalogue())
    assert any("outside the catalogue are ignored" in warning for warning in tables.warnings)
    fit = fit_model(
        tables,
        age_tables=default_age_tables(),
        catalogue=earlier_catalogue(),
        policy=default_policy(),
        settings=FitSettings(seed=1, threads=1),
        say=lambda _: None,
    )
    directory = tmp_path_factory.mktemp("earlier") / "bundle"
    write_fit(directory, fit, created=newest_time(tables), data_hash=tables.data_hash, seed=1)
    return directory


def test_what_an_earlier_catalogue_lacks_is_neither_used_nor_echoed(earlier_bundle: Path) -> None:
    model = load_bundle(earlier_bundle).model
    assert model.harm is not None
    everything = {s.name for s in default_catalogue().signals if s.source is SignalSource.HISTORY}
    assert len(everything) > len(EARLIER)
    judge = Judge(model, default_policy())
    other = Participant("other", history=counted(EARLIER))
    found = [
        judge.judge_pair(
            Participant("one", history=counted(names)), other, now=NOW, state=StoredState()
        )
        for names in (everything, EARLIER)
    ]
    for judgement in found:
        assert judgement.a.unknown_names == judgement.b.unknown_names == ()
        assert judgement.a.history_known
    assert found[0].decision.risk == found[1].decision.risk
    assert found[0].decision.kind is found[1].decision.kind


def test_the_catalogue_of_today_uses_what_an_earlier_one_lacks(small_bundle: Path) -> None:
    model = load_bundle(small_bundle).model
    everything = {s.name for s in default_catalogue().signals if s.source is SignalSource.HISTORY}
    vector = model.catalogue.vector(Participant("one", history=counted(everything)))
    named = dict(zip(model.catalogue.columns, vector.values.tolist(), strict=True))
    assert vector.unknown_names == ()
    assert {name for name, value in named.items() if value == 1.0} == everything
