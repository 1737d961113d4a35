"""The age tables: every number that the posterior rests on, with its source.

Owns reading and checking the versioned document and turning it into arrays on the age grid. It
must not know files (``pairguard.bundle`` reads them) nor single items of evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from pairguard.age.declaration import DeclarationModel
from pairguard.age.evidence import Binding, CheckMethod, Liveness, VerificationMethod
from pairguard.age.face import FaceErrorModel
from pairguard.age.parameters import Array, ParameterReader

FORMAT_VERSION: Final = 1
_RANGE_ASSURANCES: Final = ("GUARDIAN", "CONFIRMED", "PAYMENT", "DOCUMENT", "SUPERVISED")
_MIN_ATTACK: Final = 1e-4
_MIN_ERROR: Final = 1e-6  # no check is without errors, and none makes another impossible


@dataclass(frozen=True, slots=True)
class CheckRates:
    """Error rates of one method of age check and how often it is attacked.

    Attributes:
        false_over: P(OVER | under the threshold), not counting attacks.
        false_under: P(UNDER | over the threshold), not counting attacks.
        attack: (101,) attack rate by true age.
    """

    false_over: float
    false_under: float
    attack: Array


@dataclass(frozen=True, slots=True)
class AgeTables:
    """All parameters of the age posterior, on the grid.

    Build with ``from_mapping``; ``document`` is the mapping it was built from. ``item_cache``
    belongs to ``pairguard.age.likelihood``; it changes no result.
    """

    document: Mapping[str, Any]
    version: str
    priors: Mapping[tuple[str, str], Array]
    reference_age_years: int
    opposed_nats: float
    agreement_floor: float
    established_minor_probability: float
    unknown_observed_age_years: float
    presented_age: Array
    presented_age_at_least: Array
    borrowed_account: Array
    handover_per_year: Mapping[Binding, float]
    declared_correlation: float
    face_correlation: float
    check_correlation: float
    declaration: DeclarationModel
    declaration_attack: Array
    range_errors: Mapping[str, tuple[float, float]]
    range_attack: Array
    face_models: Mapping[str, FaceErrorModel]
    face_providers: Mapping[str, str]
    default_face_preset: str
    face_attack: Mapping[Liveness, Array]
    checks: Mapping[CheckMethod, CheckRates]
    verified_neighbour: Mapping[VerificationMethod, float]
    verified_attack: Mapping[VerificationMethod, Array]
    item_cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    _sides: tuple[Array, Array, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the default prior on both sides of the reference age."""
        prior, line = self.priors["", ""], self.reference_age_years
        below, above = float(prior[:line].sum()), float(prior[line:].sum())
        object.__setattr__(
            self, "_sides", (prior[:line] / below, prior[line:] / above, below / above)
        )

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> AgeTables:
        """Check a document whole and build the tables.

        Raises:
            InvalidInput: With every problem found; reason ``AGE_TABLES_INVALID``.
        """
        read = ParameterReader(document)
        if document.get("format_version") != FORMAT_VERSION:
            read.problem("format_version", f"must be {FORMAT_VERSION}")
            read.raise_problems("AGE_TABLES_INVALID")
        version = document.get("version")
        if not isinstance(version, str) or not version:
            read.problem("version", "must be a text that names this version")
            version = ""
        face_models = {
            name: FaceErrorModel.from_curves(
                read.curve(f"facial_age_estimate.presets.{name}.bias_years", -20, 20),
                np.maximum(
                    read.curve(f"facial_age_estimate.presets.{name}.scale_years", 0.1, 30), 0.1
                ),
            )
            for name in read.section("facial_age_estimate.presets")
        }
        providers = read.section("facial_age_estimate.providers")
        face = read.section("facial_age_estimate")
        default_preset = face.get("default_preset")
        for provider, preset in [*providers.items(), ("(default)", default_preset)]:
            if not isinstance(preset, str) or preset not in face_models:
                read.problem(
                    "facial_age_estimate.providers", f"{provider}: no preset named {preset!r}"
                )
        declared = "self_declared"
        presented_age = _density(read.curve("presented_age", 0, 1e9))
        tables = cls(
            document=document,
            version=version,
            priors=_priors(read),
            reference_age_years=int(read.number("reference_age_years", 13, 25)),
            opposed_nats=read.number("conflict.opposed_nats", 0.1, 20),
            agreement_floor=read.number("conflict.agreement_floor", 0, 1),
            established_minor_probability=read.number("established_minor_probability", 0.5, 1),
            unknown_observed_age_years=read.number("unknown_observed_age_years", 0, 100),
            presented_age=presented_age,
            presented_age_at_least=presented_age[::-1].cumsum()[::-1],
            borrowed_account=read.curve("binding.borrowed_account", 0, 1),
            handover_per_year={
                binding: read.number(f"binding.handover_per_year.{binding.value}", 0, 10)
                for binding in Binding
            },
            declared_correlation=read.number("correlation.declared", 0, 1),
            face_correlation=read.number("correlation.faces", 0, 1),
            check_correlation=read.number("correlation.same_check", 0, 1),
            declaration=DeclarationModel.from_curves(
                adult_claim=read.curve(f"{declared}.adult_claim", 0, 0.6),
                older_claim=read.curve(f"{declared}.older_claim", 0, 0.35),
                posing_as_minor=read.curve(f"{declared}.posing_as_minor", 0, 0.04),
                decay=read.number(f"{declared}.adult_claim_decay", 0.001, 5),
                uniform_share=read.number(f"{declared}.adult_claim_uniform_share", 0, 1),
                misstatement=read.number(f"{declared}.adult_misstatement", 0, 0.9),
            ),
            declaration_attack=read.curve(f"{declared}.attack", _MIN_ATTACK, 1),
            range_errors={
                name: (
                    read.number(
                        f"platform_age_range.assurance.{name}.overstated", _MIN_ERROR, 0.49
                    ),
                    read.number(
                        f"platform_age_range.assurance.{name}.understated", _MIN_ERROR, 0.49
                    ),
                )
                for name in _RANGE_ASSURANCES
            },
            range_attack=read.curve("platform_age_range.attack", _MIN_ATTACK, 1),
            face_models=face_models,
            face_providers={str(k).lower(): str(v) for k, v in providers.items()},
            default_face_preset=str(default_preset),
            face_attack={
                liveness: read.curve(f"facial_age_estimate.attack.{liveness.value}", _MIN_ATTACK, 1)
                for liveness in Liveness
            },
            checks={
                method: CheckRates(
                    read.number(f"age_check.{method.value}.false_over", _MIN_ERROR, 0.49),
                    read.number(f"age_check.{method.value}.false_under", _MIN_ERROR, 0.49),
                    read.curve(f"age_check.{method.value}.attack", _MIN_ATTACK, 1),
                )
                for method in CheckMethod
                if method is not CheckMethod.FACIAL_THRESHOLD  # taken from the face model
            },
            verified_neighbour={
                method: read.number(f"verified_age.{method.value}.neighbour", 0, 0.5)
                for method in VerificationMethod
            },
            verified_attack={
                method: read.curve(f"verified_age.{method.value}.attack", _MIN_ATTACK, 1)
                for method in VerificationMethod
            },
        )
        read.raise_problems("AGE_TABLES_INVALID")
        return tables

    def prior(self, region: str, entry_path: str) -> Array:
        """Return the (101,) prior of a region and entry path; "" or unlisted: the default.

        A prior for the region counts before one for its country, and that before one for the entry
        path.
        """
        if len(self.priors) > 1:
            country = region.partition("-")[0]
            regional = [(place, path) for place in (region, country) for path in (entry_path, "")]
            for key in (*regional, ("", entry_path)):
                prior = self.priors.get(key)
                if prior is not None:
                    return prior
        return self.priors["", ""]

    @property
    def prior_odds_minor(self) -> float:
        """Odds of being under the reference age under the default prior."""
        return self._sides[2]

    def mean_on_both_sides(self, likelihood: Array) -> tuple[float, float]:
        """Return the mean of a likelihood under and over the reference age, default prior."""
        below, above, _ = self._sides
        line = self.reference_age_years
        return float((below * likelihood[:line]).sum()), float((above * likelihood[line:]).sum())

    def mean_over_adults(self, likelihood: Array) -> float:
        """Return the mean of a likelihood over random adults, drawn from ``presented_age``."""
        line = self.reference_age_years
        weighted = self.presented_age[line:] * likelihood[line:]
        return float(weighted.sum() / self.presented_age_at_least[line])

    def mean_over_older(self, likelihood: Array) -> Array:
        """Return (101,) the mean of a likelihood over random adults at least as old as each age.

        Adults are drawn from ``presented_age``; for ages under the reference age from all adults.
        """
        line = self.reference_age_years
        weighted = (self.presented_age * likelihood)[::-1].cumsum()[::-1]
        mean: Array = weighted / self.presented_age_at_least
        mean[:line] = mean[line]
        return mean

    def face_model(self, provider: str) -> FaceErrorModel:
        """Return the error model of a provider; unlisted: the default preset."""
        preset = self.face_providers.get(provider.lower(), self.default_face_preset)
        return self.face_models[preset]


def _priors(read: ParameterReader) -> dict[tuple[str, str], Array]:
    """Return priors by (region, entry path); a key "GB|random_video" names both."""
    priors = {("", ""): _density(read.curve("prior.default", 0, 1e9))}
    for region in read.section("prior.by_region"):
        name, _, entry_path = region.partition("|")
        priors[name, entry_path] = _density(read.curve(f"prior.by_region.{region}", 0, 1e9))
    for entry_path in read.section("prior.by_entry_path"):
        curve = read.curve(f"prior.by_entry_path.{entry_path}", 0, 1e9)
        priors["", entry_path] = _density(curve)
    return priors


def _density(weights: Array) -> Array:
    """Normalise weights over the grid; no age is impossible."""
    weights = np.maximum(weights, 1e-9 * max(float(weights.max()), 1e-300))
    density: Array = weights / weights.sum()
    density.setflags(write=False)
    return density
