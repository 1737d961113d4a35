"""The documents that come with the package: what serves before anything was trained.

Owns where they are found. It must not know what they say.
"""

from __future__ import annotations

from importlib.resources import files

from pairguard.age.tables import AgeTables
from pairguard.bundle.documents import read_json, read_toml
from pairguard.risk.catalogue import SignalCatalogue


def default_age_tables() -> AgeTables:
    """Return the age tables of the package."""
    content = files("pairguard.age").joinpath("default_tables.json").read_bytes()
    return AgeTables.from_mapping(read_json(content, "default_tables.json"))


def default_catalogue() -> SignalCatalogue:
    """Return the signal catalogue of the package."""
    content = files("pairguard.risk").joinpath("default_signals.toml").read_bytes()
    return SignalCatalogue.from_mapping(read_toml(content, "default_signals.toml"))


def default_policy_text() -> str:
    """Return the policy document of the package, as TOML text."""
    return files("pairguard.policy").joinpath("default.toml").read_text(encoding="utf-8")
