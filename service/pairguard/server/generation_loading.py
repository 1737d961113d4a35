"""Bundle and policy loaded beside what serves, and put in its place.

Owns that what cannot be used changes nothing, and what is counted and told of it. It must not know
when it is loaded, nor what a call does with it. Calls are answered by the generation that serves
until the new one is loaded, verified and warm, and each call by one generation from its beginning
to its end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.errors import PairguardError, PolicyRefused
from pairguard.policy.regions import Policy
from pairguard.server.canonical_log import CanonicalLog
from pairguard.server.generation import (
    Generation,
    GenerationSlot,
    compose_generation,
    trusted_keys,
)
from pairguard.server.metrics import Metrics
from pairguard.server.warm_up import warm_up

_SWITCH_SECONDS: Final = 5e-4
"""How long loading may keep the interpreter from a call that wants it; Python's own is ten times
that, and each call would wait for it several times."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is to be loaded.

    Attributes:
        bundle_path: A bundle, or a root whose ``current`` is meant.
        read_policy: Reads the policy.
        public_key_file: Whose signature a bundle must have; None: none is wanted.
        bundle_mark: Differs whenever the bundle may be another.
        policy_mark: Differs whenever the policy may be another.
    """

    bundle_path: Path
    read_policy: Callable[[], Policy]
    public_key_file: Path | None
    bundle_mark: Hashable
    policy_mark: Hashable


@dataclass(frozen=True, slots=True)
class Loaded:
    """What can serve, and what it was loaded from; ``start`` is when that began."""

    bundle: Bundle
    generation: Generation
    origin: Origin
    start: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot serve.

    Attributes:
        result: As in the metric of reloads.
        reason: For programs.
        problems: For people, each in a line.
    """

    result: str
    reason: str
    problems: tuple[str, ...] = ()


class GenerationLoading:
    """What serves, and the way of what is to serve next.

    Args:
        generations: Where the generation that serves is put.
        metrics: Where loads are counted.
        log: Where they are told.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        generations: GenerationSlot,
        metrics: Metrics,
        log: CanonicalLog,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._generations = generations
        self._metrics = metrics
        self._log = log
        self._clock = clock
        self._loaded: Loaded | None = None
        self._stale = False

    def load(self, origin: Origin) -> Loaded:
        """Load what has changed, verified and warm; nothing of it serves yet.

        Raises:
            BundleRefused: The bundle does not verify.
            PolicyRefused: The policy does not validate.
            ConfigurationRefused: The public keys cannot be used.
        """
        before, start = self._loaded, time.perf_counter()
        policy = origin.read_policy()
        # After a refusal the bundle is read again: it may have been mended and look as before.
        if (
            before is not None
            and before.origin.bundle_mark == origin.bundle_mark
            and not self._stale
        ):
            bundle = before.bundle
        else:
            keys = trusted_keys(origin.public_key_file)
            bundle = load_bundle(origin.bundle_path, public_keys=keys)
            if before is not None and bundle.version == before.bundle.version:
                bundle = before.bundle  # the same to the byte, and what it knows already is kept
        if (
            before is not None
            and bundle is before.bundle
            and origin.policy_mark == before.origin.policy_mark
        ):
            return Loaded(bundle, before.generation, origin, start)
        generation = compose_generation(bundle, policy)
        now = self._clock()
        warm_up(generation.at(now).judge, now=now)
        return Loaded(bundle, generation, origin, start)

    def load_beside(self, origin: Origin) -> Loaded | Refusal:
        """Load while calls are answered; whatever goes wrong is counted and told, and is no end."""
        start = time.perf_counter()
        try:
            with _sharing_the_interpreter():
                return self.load(origin)
        except PairguardError as error:
            result = "policy_refused" if isinstance(error, PolicyRefused) else "bundle_refused"
            problems = tuple(getattr(error, "problems", (str(error),)))
            refusal = Refusal(result, error.reason, problems)
        except Exception as error:  # noqa: BLE001 - whatever it is, what serves goes on serving
            self._log.failure("reload failed", error, method="")
            refusal = Refusal("failed", type(error).__name__)
        self.refuse(refusal, start)
        return refusal

    def refuse(self, refusal: Refusal, start: float) -> None:
        """Count and tell that what there is now cannot be used; ``start``: when it was tried."""
        self._tell(refusal.result, start, refusal)

    def serve(self, loaded: Loaded) -> None:
        """Let it serve every call that begins from now on."""
        self._loaded = loaded
        generation = loaded.generation
        self._generations.put(generation)
        self._metrics.tell_generation(
            generation.bundle_version, generation.policy_version, generation.bundle_load_seconds
        )
        self._metrics.generation.tell_load_time(self._clock())

    def take(self, loaded: Loaded) -> bool:
        """Let it serve, count and tell it; return whether it is another than what served."""
        before = self._loaded
        changed = before is None or loaded.generation is not before.generation
        del before  # so that nothing here keeps it while the rest is cleaned up
        if changed:
            self.serve(loaded)
        else:
            self._loaded = loaded
        self._tell("used" if changed else "unchanged", loaded.start)
        return changed

    def announce(self, on_change: Callable[[Generation], None]) -> None:
        """Call a function with what serves; what it fails at is told and is no end."""
        try:
            on_change(self._generations.current)
        except Exception as error:  # noqa: BLE001 - what serves is served already
            self._log.failure("what follows a reload failed", error, method="")

    def tell_prepared(self, *, prepared: bool) -> None:
        """Note whether something that was loaded waits to serve."""
        self._metrics.generation.tell_prepared(prepared=prepared)

    def tell_stale(self) -> None:
        """Note that what there is now cannot be used, as somebody else has found."""
        self._stale = True
        self._metrics.generation.tell_stale(stale=True)

    def _tell(self, result: str, start: float, refusal: Refusal | None = None) -> None:
        self._stale = refusal is not None
        self._metrics.generation.observe_reload(result, stale=self._stale)
        generation = self._generations.current
        self._log.reload(
            result,
            bundle_version=generation.bundle_version,
            policy_version=generation.policy_version,
            duration_seconds=time.perf_counter() - start,
            reason="" if refusal is None else refusal.reason,
            problems=() if refusal is None else refusal.problems,
        )


@contextmanager
def _sharing_the_interpreter() -> Iterator[None]:
    """Let calls have the interpreter soon while this thread computes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
