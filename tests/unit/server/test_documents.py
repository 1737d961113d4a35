"""What is written about settings and metrics is what there is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from pairguard.client.environment import _READERS, PREFIX
from pairguard.client.options import ClientOptions
from pairguard.server.metrics import Metrics
from pairguard.server.processes.merged_metrics import SupervisorMetrics
from pairguard.server.settings import BOUNDS, Settings

DOCUMENTS = Path(__file__).parents[3] / "docs"


def rows(name: str) -> list[list[str]]:
    """Return the cells of each row that begins with a name in backquotes."""
    text = (DOCUMENTS / name).read_text(encoding="utf-8")
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\| `", line)
    ]


def written_default(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_every_setting_is_explained_with_its_default_and_bounds() -> None:
    written = {row[0].strip("`"): row for row in rows("settings.md")}

    assert list(written) == [field.name for field in fields(Settings)]
    for field in fields(Settings):
        assert written[field.name][1] == written_default(field.default), field.name
        bounds = BOUNDS.get(field.name)
        if bounds:
            assert written[field.name][2].startswith(f"{bounds[0]:g} to {bounds[1]:,.0f}")


def test_every_variable_of_the_client_is_explained_with_its_default() -> None:
    text = (DOCUMENTS / "settings.md").read_text(encoding="utf-8")
    written = dict(re.findall(rf"^\| {PREFIX}(\w+) \| (\S+) \|", text, re.MULTILINE))
    address = {f"{PREFIX}ADDRESS": "127.0.0.1:1"}

    assert list(written) == list(_READERS)
    for name, default in written.items():
        if default not in ("required", "absent"):
            given = ClientOptions.from_environment(address | {PREFIX + name: default})
            assert given == ClientOptions("127.0.0.1:1"), name


def test_every_metric_is_explained_with_its_type_and_labels() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.observe_rpc("m", "OK", 0.1)
    found = {}
    supervisor = SupervisorMetrics(dict).registry
    for family in (*registry.collect(), *supervisor.collect()):
        if family.name.startswith("pairguard_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (family.type, family.documentation)

    written = {row[0].strip("`"): row for row in rows("metrics.md")}
    assert {n for n in written if not n.startswith("process_")} == set(found)
    for name, (kind, documentation) in found.items():
        assert written[name][1] == kind
        assert written[name][3] == documentation.rstrip("."), name


def test_the_labels_written_are_those_in_use() -> None:
    labels = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in rows("metrics.md")}
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    registered = {
        collector._name: set(collector._labelnames)
        for collector in registry._collector_to_names
        if isinstance(collector, MetricWrapperBase)
    }

    assert metrics.registry is registry
    for name, expected in registered.items():
        assert labels.get(name, labels.get(f"{name}_total")) == expected, name


def test_every_metric_of_pairguard_has_its_prefix() -> None:
    registry = CollectorRegistry()
    Metrics(registry)

    names = {family.name for family in registry.collect()}
    assert all(name.startswith(("pairguard_", "process_")) for name in names), names
