"""Whom a bundle's fit has not seen: what its manifest says of that, and what follows.

Owns the share of people that a fit held out, as a manifest keeps it, and the refusal to judge a
bundle on people that taught it. It must not know how anything is judged.
"""

from __future__ import annotations

from typing import Any

from pairguard.bundle.manifest import Manifest
from pairguard.errors import ConfigurationRefused
from pairguard_training.splitting import TEST_SHARE, Split, split_tables
from pairguard_training.tables.reading import Tables

NOBODY_HELD_OUT = (
    "Nobody was held out: these tables cannot tell how good this bundle is. evaluate, certify and "
    "report need tables of people whom it has not seen, with --unseen."
)
"""Note of a fit that everything taught."""


def split_figures(test_share: float) -> dict[str, Any]:
    """Return what the manifest keeps of a split, below ``split``."""
    return {"test_share": test_share}


def share_held_out(manifest: Manifest) -> float:
    """Return the share of people that a bundle's fit held out; one that does not say: as ever."""
    share = manifest.metrics.get("split", {}).get("test_share", TEST_SHARE)
    return float(share)


def judging_split(manifest: Manifest, tables: Tables, *, seed: int, unseen: bool) -> Split:
    """Return the split under which a bundle may be judged on tables.

    Args:
        manifest: The bundle's.
        tables: Those of its fit or, with ``unseen``, of others.
        seed: Where the manifest names none.
        unseen: Whether the bundle saw nobody of these.

    Raises:
        ConfigurationRefused: The bundle was fitted to everybody, and these may be the people.
    """
    seed = manifest.seeds.get("fit", seed)
    if unseen:
        return split_tables(tables, seed=seed)
    share = share_held_out(manifest)
    if share == 0.0:
        raise ConfigurationRefused(
            [
                (
                    "--bundle: its fit held nobody out (--test-share 0), so nobody is left to "
                    "judge it on; give tables of people whom it has not seen, with --unseen"
                )
            ]
        )
    return split_tables(tables, seed=seed, test_share=share)
