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
from pairguard.age.face import FaceErrorModel, read_face_error_model
from pairguard.age.fusion_plan import FusionWeights
from pairguard.age.parameters import Array, ParameterReader

FORMAT_VERSION: Final = 1
_RANGE_ASSURANCES: Final = ("GUARDIAN", "CONFIRMED", "PAYMENT", "DOCUMENT", "SUPERVISED")
ACCOUNT, CAPTURE, IDENTITY, REVIEW = "account", "capture", "identity", "review"
ATTACK_GROUPS: Final = (ACCOUNT, CAPTURE, IDENTITY, REVIEW)
"""What is made up together: everything said of an account, shown to a camera, proved by a borrowed
identity, or judged by a reviewer."""
_MIN_ATTACK: Final = 1e-4
_MAX_ATTACK: Final = 0.95  # with the rate of posing below 1: something is always honest
_MAX_POSING: Final = 0.04
MIN_ERROR: Final = 1e-6  # no check is without errors, and none makes another impossible
MAX_ERROR: Final = 0.49  # and none says the opposite of what is


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
    belongs to ``pairguard.age.likelihood``, ``fusion_cache`` to ``pairguard.age.fusion`` and what
    items of one kind share; they change no result.
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
    posed_age: Array
    posing: Mapping[str, Array]
    borrowed_account: Array
    handover_per_year: Mapping[Binding, float]
    one_sitting_share: float
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
    provider_checks: Mapping[tuple[CheckMethod, str], CheckRates]
    strongest_binding: Mapping[CheckMethod, Binding]
    verified_neighbour: Mapping[VerificationMethod, float]
    verified_attack: Mapping[VerificationMethod, Array]
    item_cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    fusion_cache: dict[Any, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    fusion_weights: FusionWeights = field(init=False, repr=False, compare=False)
    _prior_odds_minor: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep what every posterior multiplies with."""
        prior, line = self.priors["", ""], self.reference_age_years
        odds = float(prior[:line].sum() / prior[line:].sum())
        object.__setattr__(self, "_prior_odds_minor", odds)
        weights = FusionWeights.from_rates(
            prior=prior,
            presented=self.presented_age,
            posed=self.posed_age,
            borrowed=self.borrowed_account,
            line=line,
        )
        object.__setattr__(self, "fusion_weights", weights)

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
            name: read_face_error_model(read, f"facial_age_estimate.presets.{name}")
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
        checks: dict[CheckMethod, CheckRates] = {
            method: CheckRates(
                read.number(f"age_check.{method.value}.false_over", MIN_ERROR, MAX_ERROR),
                read.number(f"age_check.{method.value}.false_under", MIN_ERROR, MAX_ERROR),
                read.curve(f"age_check.{method.value}.attack", _MIN_ATTACK, _MAX_ATTACK),
            )
            for method in CheckMethod
            if method is not CheckMethod.FACIAL_THRESHOLD  # taken from the face model
        }
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
            posed_age=_density(read.curve("posing_as_minor.posed_age", 0, 1e9)),
            posing=_posing(read),
            borrowed_account=read.curve("binding.borrowed_account", 0, 1),
            handover_per_year={
                binding: read.number(f"binding.handover_per_year.{binding.value}", 0, 10)
                for binding in Binding
            },
            one_sitting_share=read.number("one_sitting_share", 0, 1),
            declared_correlation=read.number("correlation.declared", 0, 1),
            face_correlation=read.number("correlation.faces", 0, 1),
            check_correlation=read.number("correlation.same_check", 0, 1),
            declaration=DeclarationModel.from_curves(
                adult_claim=read.curve(f"{declared}.adult_claim", 0, 0.6),
                older_claim=read.curve(f"{declared}.older_claim", 0, 0.35),
                older_claim_weight=read.curve(f"{declared}.older_claim_weight", 0.01, 100),
                posing_as_minor=read.curve(f"{declared}.posing_as_minor", 0, 0.04),
                decay=read.number(f"{declared}.adult_claim_decay", 0.001, 5),
                uniform_share=read.number(f"{declared}.adult_claim_uniform_share", 0, 1),
                misstatement=read.number(f"{declared}.adult_misstatement", 0, 0.9),
            ),
            declaration_attack=read.curve(f"{declared}.attack", _MIN_ATTACK, _MAX_ATTACK),
            range_errors={
                name: (
                    read.number(
                        f"platform_age_range.assurance.{name}.overstated", MIN_ERROR, MAX_ERROR
                    ),
                    read.number(
                        f"platform_age_range.assurance.{name}.understated", MIN_ERROR, MAX_ERROR
                    ),
                )
                for name in _RANGE_ASSURANCES
            },
            range_attack=read.curve("platform_age_range.attack", _MIN_ATTACK, _MAX_ATTACK),
            face_models=face_models,
            face_providers={str(k).lower(): str(v) for k, v in providers.items()},
            default_face_preset=str(default_preset),
            face_attack={
                liveness: read.curve(
                    f"facial_age_estimate.attack.{liveness.value}", _MIN_ATTACK, _MAX_ATTACK
                )
                for liveness in Liveness
            },
            checks=checks,
            provider_checks=_provider_checks(read, checks),
            strongest_binding={
                method: read.word(f"age_check.{method.value}.strongest_binding", Binding)
                for method in checks
            },
            verified_neighbour={
                method: read.number(f"verified_age.{method.value}.neighbour", 0, 0.5)
                for method in VerificationMethod
            },
            verified_attack={
                method: read.curve(f"verified_age.{method.value}.attack", _MIN_ATTACK, _MAX_ATTACK)
                for method in VerificationMethod
            },
        )
        read.raise_problems("AGE_TABLES_INVALID")
        return tables

    def prior(self, region: str, entry_path: str, *, location_hidden: bool = False) -> Array:
        """Return the (101,) prior of a region and entry path; "" or unlisted: the default.

        A prior for the region counts before one for its country, and that before the default. A
        participant can choose how to come in, so a prior for the entry path counts only where it
        has more minors than that; so does the default where ``location_hidden``.
        """
        default = self.priors["", ""]
        if len(self.priors) == 1:
            return default
        country = region.partition("-")[0]
        places = [place for place in (region, country, "") if (place, "") in self.priors]
        candidates = [self.priors[places[0], ""]]
        if location_hidden:
            candidates.append(default)
        candidates += [
            self.priors[place, entry_path]
            for place in (region, country, "")
            if entry_path and (place, entry_path) in self.priors
        ]
        return max(candidates, key=self._share_of_minors)

    def _share_of_minors(self, prior: Array) -> float:
        return float(prior[: self.reference_age_years].sum())

    @property
    def prior_odds_minor(self) -> float:
        """Odds of being under the reference age under the default prior."""
        return self._prior_odds_minor

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

    def check_rates(self, method: CheckMethod, provider: str) -> CheckRates:
        """Return the rates of a provider, "": not told; unlisted: those of the method."""
        return self.provider_checks.get((method, provider.lower()), self.checks[method])

    def face_model(self, provider: str) -> FaceErrorModel:
        """Return the error model of a provider; unlisted: the default preset."""
        preset = self.face_providers.get(provider.lower(), self.default_face_preset)
        return self.face_models[preset]


def _posing(read: ParameterReader) -> dict[str, Array]:
    """Return rates by attack group; only somebody of the reference age or older can pose."""
    line = int(read.number("reference_age_years", 13, 25))
    curves = {}
    for group in ATTACK_GROUPS:
        curve = read.curve(f"posing_as_minor.rate.{group}", 0, _MAX_POSING)
        curve[:line] = 0.0
        curves[group] = curve
    return curves


def _provider_checks(
    read: ParameterReader, checks: Mapping[CheckMethod, CheckRates]
) -> dict[tuple[CheckMethod, str], CheckRates]:
    """Return the rates of providers that have their own; attack rates are the method's.

    The name "" is that of checks whose provider is not told.
    """
    rates: dict[tuple[CheckMethod, str], CheckRates] = {}
    for method, own in checks.items():
        path = f"age_check.{method.value}.providers"
        if "providers" not in read.section(f"age_check.{method.value}"):
            continue
        for name, node in read.section(path).items():
            if (method, name.lower()) in rates:
                read.problem(path, "must name each provider once; case does not count")
            errors = node if isinstance(node, Mapping) else {}
            over, under = (
                read.number_in(errors.get(error), f"{path}.{name}.{error}", MIN_ERROR, MAX_ERROR)
                for error in ("false_over", "false_under")
            )
            rates[method, name.lower()] = CheckRates(over, under, own.attack)
    return rates


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
