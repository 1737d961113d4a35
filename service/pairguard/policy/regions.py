"""Whose rules hold for a participant and for a pair.

Owns the look-up of regions and the merge of several into the strictest, line by line. An absent
region counts as every configured one, and so does one that is no region code; a country counts as
itself and all its configured subdivisions, since the subdivision is what was left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import reduce
from typing import Any, Final

from pairguard.age.next_check import CheckOption
from pairguard.policy.document import RegionPolicy, is_region_code, parse_document
from pairguard.policy.promises import strictest_promises

_SMALLER_IS_STRICTER: Final = frozenset(
    {
        "minors_may_meet",
        "minors_max_age_gap_years",
        "unknown_may_meet",
        "close_in_age_max_gap_years",
        "allow_on_unread_state",
        "allow_without_harm_model",
        "adults_max_probability_minor",
        "adults_max_probability_minor_by_evidence",
        "minors_max_probability_adult",
        "minors_max_probability_gap",
        "barred_min_probability",
        "reroute_minor_adult",
        "block_minor_adult",
        "reroute_harm",
        "block_harm",
        "reroute_risk",
        "block_risk",
        "max_exposure_per_day",
        "max_reroutes_per_day",
        "min_reporters",
        "min_reporter_share",
        "min_decisions_per_day",
        "max_partner_minor_mean",
        "certified_reroute_minor_adult",
        "certified_adults_max_probability_minor",
        "certified_minors_max_probability_adult",
    }
)
_LARGER_IS_STRICTER: Final = frozenset(
    {
        "minimum_age",
        "unknown_history_harm_floor",
        "barred_hours",
        "harm_hours",
        "upheld_hours",
        "recent_partner_minutes",
        "min_started_share",
        "min_probability_settled",
        "reroute_share",
    }
)

_KEPT_REGIONS: Final = 1024  # callers may send any; there are some 250 countries


class Policy:
    """A whole policy, ready to be asked for a participant or a pair.

    Attributes:
        version: The document's own name for itself.
        default: The lines of a region that is not configured.
        regions: The configured regions by code.
        explores: Whether any region turns pairs away by chance.
    """

    def __init__(
        self, version: str, default: RegionPolicy, regions: Mapping[str, RegionPolicy]
    ) -> None:
        self.version = version
        self.default = default
        self.regions = dict(regions)
        self._everywhere = reduce(strictest, self.regions.values(), default)
        self.explores = self._everywhere.reroute_share > 0.0
        self._countries = {
            country: self._country(country)
            for country in {code.partition("-")[0] for code in self.regions}
        }
        self._found: dict[str, RegionPolicy] = {}
        self._pairs: dict[tuple[int, int], RegionPolicy] = {}

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> Policy:
        """Check a parsed document whole.

        Raises:
            PolicyRefused: With every problem found.
        """
        return cls(*parse_document(document))

    def for_participant(self, region: str) -> RegionPolicy:
        """Return the lines for one participant; "": the strictest of every region."""
        found = self._found.get(region)
        if found is None:
            found = self._look_up(region)
            if len(self._found) >= _KEPT_REGIONS:
                self._found.clear()
            self._found[region] = found  # a region's lines never change within a policy
        return found

    def _look_up(self, region: str) -> RegionPolicy:
        country, _, subdivision = region.partition("-")
        if subdivision:
            found = self.regions.get(region) or self.regions.get(country)
        else:
            found = self._countries.get(country)
        if found is not None:
            return found
        return self.default if is_region_code(region) else self._everywhere

    def _country(self, country: str) -> RegionPolicy:
        """Return the strictest of a country and its configured subdivisions."""
        parts = [p for code, p in self.regions.items() if code.startswith(f"{country}-")]
        return reduce(strictest, parts, self.regions.get(country, self.default))

    def for_pair(self, region_a: str, region_b: str) -> RegionPolicy:
        """Return the stricter of two participants' lines, rule by rule."""
        return self.stricter(self.for_participant(region_a), self.for_participant(region_b))

    def upheld_hold_hours(self, region: str = "") -> float:
        """Return for how long an upheld harm holds a participant of a region ("": unknown)."""
        return self.for_participant(region).upheld_hours

    def stricter(self, a: RegionPolicy, b: RegionPolicy) -> RegionPolicy:
        """Return the stricter of two participants' lines, both from ``for_participant``."""
        if a is b:
            return a
        key = (id(a), id(b))  # regions live as long as the policy, and there are few of them
        merged = self._pairs.get(key)
        if merged is None:
            merged = self._pairs[key] = strictest(a, b)
        return merged


def strictest(a: RegionPolicy, b: RegionPolicy) -> RegionPolicy:
    """Return the stricter of each line; adult ages are joined, checks must be open to both.

    The promises of both are to be kept, and what is not kept of either is not kept.
    """
    values: dict[str, Any] = {
        "adult_ages": a.adult_ages | b.adult_ages,
        "checks": _open_to_both(a.checks, b.checks),
        "risk_band_edges": joined_edges((a, b)),
        "promises": strictest_promises(a.promises | b.promises),
        "unkept": a.unkept | b.unkept,
    }
    for line in fields(RegionPolicy):
        mine, theirs = getattr(a, line.name), getattr(b, line.name)
        if line.name in _SMALLER_IS_STRICTER:
            values[line.name] = min(mine, theirs)
        elif line.name in _LARGER_IS_STRICTER:
            values[line.name] = max(mine, theirs)
    return RegionPolicy(**values)


def joined_edges(lines: Iterable[RegionPolicy]) -> tuple[float, ...]:
    """Return the edges of the risk bands of all of these lines together.

    The stricter of two: what one of them ranks behind for its risk, no affinity brings forward.
    """
    return tuple(sorted({edge for each in lines for edge in each.risk_band_edges}))


def _open_to_both(a: Sequence[CheckOption], b: Sequence[CheckOption]) -> tuple[CheckOption, ...]:
    theirs = {option.method: option for option in b}
    merged = []
    for mine in a:
        other = theirs.get(mine.method)
        if other is not None:
            merged.append(
                CheckOption(
                    mine.method,
                    threshold_years=max(mine.threshold_years, other.threshold_years),
                    cost=max(mine.cost, other.cost),
                    document_free=mine.document_free and other.document_free,
                )
            )
    return tuple(merged)
