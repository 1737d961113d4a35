"""What is refused at load and why, and what a bundle that loads can do."""

from __future__ import annotations

import hashlib
import json
import math
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairguard.bundle.arrays import read_arrays, write_arrays
from pairguard.bundle.defaults import default_age_tables, default_catalogue
from pairguard.bundle.directory import read_bundle_files
from pairguard.bundle.documents import canonical_json
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.bundle.manifest import SIZE_LIMITS
from pairguard.bundle.publication import publish
from pairguard.errors import BundleRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.features import PairFeatures
from pairguard.risk.participant import Participant
from pairguard.risk.trees import TreeModel
from tests.unit.bundle.example import (
    CREATED,
    DATA_HASH,
    Example,
    example,
    example_features,
    example_without_models,
    random_rows,
    raw_scores,
    train,
)

ALL_FILES = sorted(SIZE_LIMITS)
LISTED_FILES = sorted(set(SIZE_LIMITS) - {"bundle.json"})


def refusal(path: Path) -> BundleRefused:
    with pytest.raises(BundleRefused) as caught:
        load_bundle(path)
    return caught.value


def edit_manifest(directory: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = directory / "bundle.json"
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document))


def replace_with_hash(directory: Path, name: str, content: bytes) -> None:
    """Change a file as somebody would who can compute a hash."""
    (directory / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_manifest(directory, lambda document: document["files"].update({name: digest}))


def calibration(directory: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((directory / "calibration.json").read_bytes())
    return document


# ---- What loads ---------------------------------------------------------------------------------


def test_a_whole_bundle_loads_and_scores(bundle_directory: Path) -> None:
    bundle = load_bundle(bundle_directory)
    assert bundle.version.startswith("2026-01-31-")
    assert bundle.manifest.created == CREATED
    assert bundle.manifest.data_hash == DATA_HASH
    assert bundle.manifest.seeds == {"fit": 7}
    assert bundle.manifest.metrics == {"brier_skill": 0.25, "pr_auc": None}
    assert bundle.certificate == {"promises": []}
    assert bundle.reference == {"signals": {}}
    assert 0 < bundle.load_seconds < 60
    risk = assess(bundle)
    assert risk.harm_probability is not None
    assert 0 < risk.harm_probability < 1
    assert risk.risk_score >= risk.minor_adult_probability


def assess(bundle: Bundle) -> Any:
    signals = {s.name: 1.0 for s in bundle.model.catalogue.number_columns if s.source == "request"}
    first = bundle.model.assess_participant(Participant("a", signals=signals), 0.0)
    second = bundle.model.assess_participant(Participant("b"), 0.0)
    assert first.behaviour_known
    assert not second.behaviour_known
    return bundle.model.assess_pair(first, second, frozenset({18}))


def test_a_bundle_without_models_is_legal_and_has_no_harm_probability(tmp_path: Path) -> None:
    example_without_models().write(tmp_path / "bundle", notes=["no outcomes: no harm model"])
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.model.harm is None
    assert bundle.model.behaviour is None
    assert bundle.manifest.notes == ("no outcomes: no harm model",)


def test_a_bundle_may_have_one_of_the_two_models(tmp_path: Path) -> None:
    whole = example()
    arrays = read_arrays(whole.files["parity.npz"], "parity.npz")
    document = json.loads(whole.files["calibration.json"])
    whole.with_files(
        harm_model__txt=None,
        dangers__json=None,
        parity__npz=write_arrays({k: v for k, v in arrays.items() if k.startswith("age")}),
        calibration__json=canonical_json(document | {"harm": None}),
    ).write(tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.model.harm is None
    assert bundle.model.behaviour is not None


def test_the_tables_and_catalogue_are_those_of_the_files(bundle_directory: Path) -> None:
    model = load_bundle(bundle_directory).model
    assert model.catalogue.to_mapping() == default_catalogue().to_mapping()
    assert model.tables.document == default_age_tables().document


def test_archives_written_by_numpy_are_read(bundle_directory: Path) -> None:
    arrays = read_arrays((bundle_directory / "parity.npz").read_bytes(), "parity.npz")
    np.savez(bundle_directory / "parity.npz", **arrays)  # type: ignore[arg-type]
    replace_with_hash(
        bundle_directory, "parity.npz", (bundle_directory / "parity.npz").read_bytes()
    )
    load_bundle(bundle_directory)


# ---- The directory ------------------------------------------------------------------------------


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").reason == "BUNDLE_MISSING"


def test_a_file_in_the_place_of_the_directory_is_refused(bundle_directory: Path) -> None:
    assert refusal(bundle_directory / "signals.toml").reason == "BUNDLE_MISSING"


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert error.reason == "BUNDLE_MISSING"
    assert "bundle.json" in str(error)


def test_an_extra_file_is_refused(bundle_directory: Path) -> None:
    (bundle_directory / "model.pkl").write_bytes(b"")
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_FILE_UNEXPECTED"
    assert "model.pkl" in str(error)


def test_an_extra_directory_is_refused(bundle_directory: Path) -> None:
    (bundle_directory / "more").mkdir()
    assert refusal(bundle_directory).reason == "BUNDLE_FILE_UNEXPECTED"


@pytest.mark.parametrize("name", LISTED_FILES)
def test_a_missing_file_is_refused(bundle_directory: Path, name: str) -> None:
    (bundle_directory / name).unlink()
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_FILE_MISSING"
    assert name in str(error)


def test_a_missing_manifest_is_refused(bundle_directory: Path) -> None:
    (bundle_directory / "bundle.json").unlink()
    assert refusal(bundle_directory).reason == "BUNDLE_MISSING"


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_link_out_of_the_bundle_is_refused_and_not_followed(
    bundle_directory: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    (bundle_directory / name).rename(outside)
    (bundle_directory / name).symlink_to(outside)
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert name in str(error)


def test_an_extra_link_is_refused(bundle_directory: Path) -> None:
    (bundle_directory / "extra").symlink_to("/etc/hostname")
    assert refusal(bundle_directory).reason == "BUNDLE_FILE_UNEXPECTED"


@pytest.mark.parametrize("name", ALL_FILES)
def test_what_is_no_regular_file_is_refused_without_waiting(
    bundle_directory: Path, name: str
) -> None:
    (bundle_directory / name).unlink()
    os.mkfifo(bundle_directory / name)
    assert refusal(bundle_directory).reason == "BUNDLE_INVALID"
    (bundle_directory / name).unlink()
    (bundle_directory / name).mkdir()
    assert refusal(bundle_directory).reason == "BUNDLE_INVALID"


def test_a_socket_in_the_place_of_a_file_is_refused(
    bundle_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle_directory / "report.html").unlink()
    monkeypatch.chdir(bundle_directory)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("report.html")
        assert refusal(bundle_directory).reason == "BUNDLE_UNREADABLE"


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_huge_file_is_refused_without_being_read(bundle_directory: Path, name: str) -> None:
    os.truncate(bundle_directory / name, SIZE_LIMITS[name] + 1)
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert f"{name} is larger" in str(error)


# ---- The manifest -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"format_version": "1"}',
        b'{"format_version": true}',
        b'{"format_version": 1, "format_version": 1}',
        b'{"format_version": NaN}',
        b"[" * 100_000,
        b'{"format_version": ' + b"9" * 5_000 + b"}",
    ],
)
def test_a_broken_manifest_is_refused(bundle_directory: Path, content: bytes) -> None:
    (bundle_directory / "bundle.json").write_bytes(content)
    assert refusal(bundle_directory).reason == "BUNDLE_UNREADABLE"


def test_a_truncated_manifest_is_refused_wherever_it_ends(bundle_directory: Path) -> None:
    content = (bundle_directory / "bundle.json").read_bytes()
    for length in range(len(content) - 2):
        (bundle_directory / "bundle.json").write_bytes(content[:length])
        assert refusal(bundle_directory).reason == "BUNDLE_UNREADABLE"


@pytest.mark.parametrize("version", [0, 2, 99, -1])
def test_another_format_version_is_refused_before_anything_else(
    bundle_directory: Path, version: int
) -> None:
    # Whatever else is new in that format must not matter.
    (bundle_directory / "bundle.json").write_text(
        json.dumps({"format_version": version, "files": "elsewhere", "unknown": []})
    )
    (bundle_directory / "new_file").touch()
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_FORMAT_UNSUPPORTED"
    assert f"format_version {version}" in str(error)
    assert error.metadata == {"format_version": str(version), "supported": "1"}


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/hostname", "..", ".", "", "a/b", "model.pkl", "bundle.json", "a\x00b"],
)
def test_a_name_that_the_format_does_not_have_is_refused(
    bundle_directory: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    edit_manifest(bundle_directory, lambda document: document["files"].update({name: digest}))
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert "files must name" in str(error)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("created", "yesterday"),
        ("created", "2026-02-30T12:00:00Z"),
        ("created", "../../../2026-01-31T12:00:00Z"),
        ("created", 5),
        ("files", []),
        ("files", {}),
        ("files", {"signals.toml": "abc"}),
        ("schema_hash", "abc"),
        ("schema_hash", None),
        ("data_hash", "D" * 64),
        ("seeds", {"fit": 1.5}),
        ("seeds", []),
        ("metrics", "good"),
        ("notes", "text"),
        ("notes", [1]),
    ],
)
def test_a_manifest_that_breaks_its_format_is_refused(
    bundle_directory: Path, key: str, value: object
) -> None:
    edit_manifest(bundle_directory, lambda document: document.update({key: value}))
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert key in str(error)


@pytest.mark.parametrize("key", ["created", "files", "schema_hash", "data_hash", "seeds", "notes"])
def test_a_manifest_with_a_key_missing_is_refused(bundle_directory: Path, key: str) -> None:
    edit_manifest(bundle_directory, lambda document: document.pop(key))
    assert refusal(bundle_directory).reason == "BUNDLE_INVALID"


def test_a_manifest_with_an_unknown_key_is_refused(bundle_directory: Path) -> None:
    edit_manifest(bundle_directory, lambda document: document.update(extra=1))
    assert refusal(bundle_directory).reason == "BUNDLE_INVALID"


# ---- The hashes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTED_FILES)
def test_one_changed_byte_in_any_file_is_refused(bundle_directory: Path, name: str) -> None:
    content = (bundle_directory / name).read_bytes()
    for position in {0, len(content) // 2, len(content) - 1}:
        changed = bytearray(content)
        changed[position] ^= 0x01
        (bundle_directory / name).write_bytes(changed)
        error = refusal(bundle_directory)
        assert error.reason == "BUNDLE_HASH_MISMATCH"
        assert error.metadata == {"file": name}


def test_one_changed_byte_in_the_manifest_is_refused_or_makes_another_version(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "bundle"
    example_without_models().write(directory)
    path = directory / "bundle.json"
    content = path.read_bytes()
    version = read_bundle_files(directory).version
    refused = 0
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x01
        path.write_bytes(changed)
        try:
            assert read_bundle_files(directory).version != version
        except BundleRefused:
            refused += 1
    assert refused > len(content) / 2


def test_better_metrics_make_another_version(bundle_directory: Path) -> None:
    before = load_bundle(bundle_directory).version
    edit_manifest(bundle_directory, lambda document: document["metrics"].update(brier_skill=0.99))
    assert load_bundle(bundle_directory).version != before


@pytest.mark.parametrize("name", LISTED_FILES)
def test_a_truncated_file_is_refused(bundle_directory: Path, name: str) -> None:
    path = bundle_directory / name
    os.truncate(path, path.stat().st_size - 1)
    assert refusal(bundle_directory).reason == "BUNDLE_HASH_MISMATCH"
    os.truncate(path, 0)
    assert refusal(bundle_directory).reason == "BUNDLE_HASH_MISMATCH"


# ---- What is in the files -----------------------------------------------------------------------


def test_another_schema_hash_is_refused(tmp_path: Path) -> None:
    Example(example().files, "0" * 64).write(tmp_path / "bundle")
    assert refusal(tmp_path / "bundle").reason == "BUNDLE_SCHEMA_MISMATCH"


def test_another_catalogue_is_refused(bundle_directory: Path) -> None:
    text = (bundle_directory / "signals.toml").read_text().replace("animation", "animals2")
    replace_with_hash(bundle_directory, "signals.toml", text.encode())
    assert refusal(bundle_directory).reason == "BUNDLE_SCHEMA_MISMATCH"


@pytest.mark.parametrize("name", sorted(set(LISTED_FILES) - {"report.html"}))
@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\xff\xfe\x00", b"{}", b"[]", b"null", b'{"signals": 5}', b"tree\n"],
)
def test_nonsense_with_the_right_hash_is_refused(
    bundle_directory: Path, name: str, content: bytes
) -> None:
    if content == b"{}" and name in {"certificate.json", "reference.json"}:
        content = b'{"a": Infinity}'
    if content == b'{"signals": 5}' and name in {"certificate.json", "reference.json"}:
        content = b'{"a": 1, "a": 2}'
    replace_with_hash(bundle_directory, name, content)
    error = refusal(bundle_directory)
    # An empty catalogue is a catalogue, only not the one of the models.
    assert error.reason == "BUNDLE_INVALID" or (name, content, error.reason) == (
        "signals.toml",
        b"",
        "BUNDLE_SCHEMA_MISMATCH",
    )


@pytest.mark.parametrize("model", ["age_model.txt", "harm_model.txt"])
def test_a_truncated_model_with_the_right_hash_is_refused(
    bundle_directory: Path, model: str
) -> None:
    content = (bundle_directory / model).read_bytes()
    for share in (0.1, 0.5, 0.9):
        replace_with_hash(bundle_directory, model, content[: int(share * len(content))])
        assert refusal(bundle_directory).reason == "BUNDLE_INVALID"


def test_another_model_with_the_right_hash_fails_parity(bundle_directory: Path) -> None:
    features = example_features()
    rows = random_rows(3, len(features.names))
    other = train(
        rows,
        (np.nan_to_num(rows[:, 0]) > 0).astype(np.float64),
        objective="binary",
        monotone_constraints=list(features.monotone_constraints),
    )
    replace_with_hash(bundle_directory, "harm_model.txt", other.model_to_string().encode())
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_PARITY_FAILED"
    assert error.metadata == {"file": "harm_model.txt"}


@pytest.mark.parametrize("array", ["age_raw", "harm_raw"])
def test_one_bit_in_one_raw_score_fails_parity(bundle_directory: Path, array: str) -> None:
    arrays = read_arrays((bundle_directory / "parity.npz").read_bytes(), "parity.npz")
    flat = arrays[array].reshape(-1)
    flat[-1] = np.nextafter(flat[-1], np.inf)
    replace_with_hash(bundle_directory, "parity.npz", write_arrays(arrays))
    assert refusal(bundle_directory).reason == "BUNDLE_PARITY_FAILED"


@pytest.mark.parametrize("way", ["raw_score", "raw_scores"])
def test_both_ways_of_scoring_must_reproduce_the_scores(
    bundle_directory: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    scores = getattr(TreeModel, way)
    monkeypatch.setattr(
        TreeModel, way, lambda trees, rows: np.nextafter(scores(trees, rows), np.inf)
    )
    assert refusal(bundle_directory).reason == "BUNDLE_PARITY_FAILED"


@pytest.mark.parametrize("array", ["age_raw", "harm_raw", "age_rows", "harm_rows"])
@pytest.mark.parametrize("change", ["missing", "short", "wide", "empty", "scalar"])
def test_parity_rows_of_another_shape_are_refused(
    bundle_directory: Path, array: str, change: str
) -> None:
    arrays = read_arrays((bundle_directory / "parity.npz").read_bytes(), "parity.npz")
    changed = arrays.pop(array)
    if change == "short":
        arrays[array] = changed[:-1]
    elif change == "wide":
        arrays[array] = np.column_stack([changed, changed[:, 0] if changed.ndim > 1 else changed])
    elif change == "empty":
        arrays[array] = changed[:0]
    elif change == "scalar":
        arrays[array] = np.array(1.0)
    replace_with_hash(bundle_directory, "parity.npz", write_arrays(arrays))
    assert refusal(bundle_directory).reason == "BUNDLE_INVALID"


def test_parity_rows_of_a_model_that_is_not_there_are_refused(bundle_directory: Path) -> None:
    arrays = read_arrays((bundle_directory / "parity.npz").read_bytes(), "parity.npz")
    replace_with_hash(
        bundle_directory, "parity.npz", write_arrays(arrays | {"third": arrays["age_raw"]})
    )
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert "third" in str(error)


def test_a_harm_model_without_the_constraints_of_the_catalogue_is_refused(
    bundle_directory: Path,
) -> None:
    features = example_features()
    rows = random_rows(4, len(features.names))
    free = train(rows, (np.nan_to_num(rows[:, 0]) > 0).astype(np.float64), objective="binary")
    arrays = read_arrays((bundle_directory / "parity.npz").read_bytes(), "parity.npz")
    arrays |= {"harm_rows": rows[:256], "harm_raw": raw_scores(free, rows[:256])}
    replace_with_hash(bundle_directory, "harm_model.txt", free.model_to_string().encode())
    replace_with_hash(bundle_directory, "parity.npz", write_arrays(arrays))
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert "monotone" in str(error)


def test_a_harm_model_of_another_catalogue_is_refused(tmp_path: Path) -> None:
    document = default_catalogue().to_mapping()
    smaller = SignalCatalogue.from_mapping(document | {"signals": document["signals"][1:]})
    changed = example().with_files(signals__toml=smaller.to_toml().encode())
    Example(changed.files, smaller.schema_hash()).write(tmp_path / "bundle")
    assert refusal(tmp_path / "bundle").reason == "BUNDLE_INVALID"


def test_dangers_that_no_harm_model_reads_are_refused(tmp_path: Path) -> None:
    left = example_without_models().files
    Example({**left, "dangers.json": example().files["dangers.json"]}, example().schema_hash).write(
        tmp_path / "bundle"
    )
    error = refusal(tmp_path / "bundle")
    assert error.reason == "BUNDLE_INVALID"
    assert "dangers.json" in str(error)


def test_a_harm_model_that_wants_dangers_is_refused_without_them(tmp_path: Path) -> None:
    example().with_files(dangers__json=None).write(tmp_path / "bundle")
    assert refusal(tmp_path / "bundle").reason == "BUNDLE_INVALID"


def test_a_bundle_whose_trees_read_no_dangers_loads(tmp_path: Path) -> None:
    features = PairFeatures(default_catalogue())
    rows = random_rows(5, len(features.names))
    harm = train(
        rows,
        (np.nan_to_num(rows[:, 0]) > 0.5).astype(np.float64),
        objective="binary",
        monotone_constraints=list(features.monotone_constraints),
        monotone_constraints_method="basic",
    )
    arrays = read_arrays(example().files["parity.npz"], "parity.npz")
    arrays |= {"harm_rows": rows[:256], "harm_raw": raw_scores(harm, rows[:256])}
    example().with_files(
        dangers__json=None,
        harm_model__txt=harm.model_to_string().encode(),
        parity__npz=write_arrays(arrays),
    ).write(tmp_path / "bundle")
    model = load_bundle(tmp_path / "bundle").model
    assert model.harm is not None
    assert model.harm.features.dangers is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("anybody", -1.0),  # more of it would be safer
        ("minors", -0.1),
        ("minors", 21.0),
        ("minors", math.nan),
        ("minors", "0.1"),
        ("deviation", 0.0),
        ("deviation", -1.0),
        ("mean", 1e300),
        ("unknown_minors", -0.1),
        ("unknown_anybody", 1e6),
        ("logarithmic", 2),
        ("name", "client_os"),
        ("name", "nobody sends this"),
        ("more", 1.0),
    ],
)
def test_weights_of_dangers_that_break_a_promise_are_refused(
    bundle_directory: Path, key: str, value: object
) -> None:
    document = json.loads((bundle_directory / "dangers.json").read_bytes())
    document["signals"][0][key] = value
    replace_with_hash(bundle_directory, "dangers.json", json.dumps(document).encode())
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert "dangers.json" in str(error)


def test_an_age_model_that_reads_reports_is_refused(bundle_directory: Path) -> None:
    catalogue = default_catalogue()
    hidden = sorted(set(range(len(catalogue.columns))) - set(catalogue.age_columns))
    document = calibration(bundle_directory)
    document["behaviour"]["columns"][0] = hidden[0]
    replace_with_hash(bundle_directory, "calibration.json", canonical_json(document))
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert "may not see" in str(error)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("behaviour", "columns", [0]),
        ("behaviour", "columns", "all"),
        ("behaviour", "columns", [10**6] * 3),
        ("behaviour", "knots_years", [10.0, 15.0, 15.0, 22.0, 30.0]),
        ("behaviour", "knots_years", 5),
        ("behaviour", "knot_shares", [1.0]),
        ("behaviour", "knot_shares", ["a", "b", "c", "d", "e"]),
        ("behaviour", "temperature", 0),
        ("behaviour", "temperature", "warm"),
        ("behaviour", "temperature", None),
        ("behaviour", "clip_nats", -1),
        ("behaviour", "surprise", 1),
        ("harm", "kind", "isotonic"),
        ("harm", "a", -1),
        ("harm", "b", "one"),
        ("harm", "c", None),
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(
    bundle_directory: Path, part: str, key: str, value: object
) -> None:
    document = calibration(bundle_directory)
    document[part][key] = value
    replace_with_hash(bundle_directory, "calibration.json", canonical_json(document))
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert "calibration.json" in str(error)


@pytest.mark.parametrize("part", ["behaviour", "harm"])
@pytest.mark.parametrize("value", [None, [], "yes", 5])
def test_a_model_without_its_calibration_is_refused(
    bundle_directory: Path, part: str, value: object
) -> None:
    document = calibration(bundle_directory) | {part: value}
    replace_with_hash(bundle_directory, "calibration.json", canonical_json(document))
    assert refusal(bundle_directory).reason == "BUNDLE_INVALID"


@pytest.mark.parametrize("part", ["behaviour", "harm"])
def test_a_calibration_must_say_that_there_is_no_model(bundle_directory: Path, part: str) -> None:
    document = calibration(bundle_directory)
    del document[part]
    replace_with_hash(bundle_directory, "calibration.json", canonical_json(document))
    error = refusal(bundle_directory)
    assert error.reason == "BUNDLE_INVALID"
    assert f"{part} is missing" in str(error)


def test_a_calibration_without_its_model_is_refused(tmp_path: Path) -> None:
    without = example_without_models()
    without.with_files(calibration__json=example().files["calibration.json"]).write(tmp_path / "b")
    assert refusal(tmp_path / "b").reason == "BUNDLE_INVALID"


# ---- The root -----------------------------------------------------------------------------------


def test_a_root_stands_for_its_current_version(bundle_directory: Path, tmp_path: Path) -> None:
    version = publish(tmp_path / "root", bundle_directory)
    assert load_bundle(tmp_path / "root").version == version
    assert load_bundle(tmp_path / "root" / "current").version == version
    assert load_bundle(tmp_path / "root" / version).version == version


@pytest.mark.parametrize("target", ["../bundle", "/etc", ".", "..", "a/b"])
def test_a_current_link_that_leads_elsewhere_is_refused(
    bundle_directory: Path, tmp_path: Path, target: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "current").symlink_to(target)
    assert refusal(root).reason == "BUNDLE_INVALID"


def test_a_current_link_to_a_link_is_refused(bundle_directory: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "version").symlink_to(bundle_directory)
    (root / "current").symlink_to("version")
    assert refusal(root).reason == "BUNDLE_INVALID"


def test_a_current_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("gone")
    assert refusal(tmp_path).reason == "BUNDLE_MISSING"
