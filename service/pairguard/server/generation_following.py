"""Bundle and policy while the server serves: looked at again and again, and taken when they change.

Owns when they are loaded anew, and that what cannot be used changes nothing. It must not know how
either is loaded, nor what a call does with them. All of it happens in one thread of its own: calls
are answered by the generation that serves until the new one is loaded, verified and warm, and each
call by one generation from its beginning to its end.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pairguard.bundle.directory import locate_bundle
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.errors import BundleRefused, PairguardError, PolicyRefused
from pairguard.policy.regions import Policy
from pairguard.server.canonical_log import CanonicalLog
from pairguard.server.followed_files import file_signature
from pairguard.server.generation import (
    Generation,
    GenerationSlot,
    compose_generation,
    read_policy,
    trusted_keys,
)
from pairguard.server.metrics import Metrics
from pairguard.server.warm_up import warm_up

_SWITCH_SECONDS: Final = 5e-4
"""How long loading may keep the interpreter from a call that wants it; Python's own is ten times
that, and each call would wait for it several times."""
_MOST_FILES: Final = 64
_END_SECONDS: Final = 5.0

_FileSignature = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Sources:
    """Where what judges comes from.

    Attributes:
        bundle_path: A bundle, or a root whose ``current`` is meant.
        policy_file: The policy; None: the one of the package.
        public_key_file: Whose signature a bundle must have; None: none is wanted.
    """

    bundle_path: Path
    policy_file: Path | None
    public_key_file: Path | None


@dataclass(frozen=True, slots=True)
class _Signature:
    """What differs whenever bundle or policy are others than before."""

    bundle: tuple[tuple[str, _FileSignature], ...]
    policy: _FileSignature


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What serves, and what it was loaded from."""

    bundle: Bundle
    generation: Generation
    signature: _Signature


class GenerationFollowing:
    """Keeps the generation that serves that of the bundle and the policy as they stand.

    Args:
        sources: Where they come from.
        generations: Where the generation that serves is put.
        metrics: Where loads are counted.
        log: Where they are told.
        check_seconds: How often is looked.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        sources: Sources,
        generations: GenerationSlot,
        metrics: Metrics,
        log: CanonicalLog,
        *,
        check_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._sources = sources
        self._generations = generations
        self._metrics = metrics
        self._log = log
        self._check_seconds = check_seconds
        self._clock = clock
        self._loaded: _Loaded | None = None
        self._tried: _Signature | None = None
        self._moving: _Signature | None = None
        self._stale = False
        self._asked = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._on_change: Callable[[Generation], None] = lambda _: None

    def load(self) -> Generation:
        """Load both for the first time and let them serve.

        Raises:
            BundleRefused: The bundle does not verify.
            PolicyRefused: The policy does not validate.
            ConfigurationRefused: The public keys cannot be used.
        """
        self._tried = signature = self._signature()
        loaded = self._load(signature)
        self._serve(loaded)
        return loaded.generation

    def start(self, on_change: Callable[[Generation], None]) -> None:
        """Begin to look, in a thread.

        Args:
            on_change: Called with what serves after each change of it, in that thread, and each
                time that somebody asked.
        """
        self._on_change = on_change
        self._thread = threading.Thread(target=self._follow, name="generation", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Have both loaded anew at once; to be called from anywhere, a signal's handler too."""
        self._asked.set()

    def stop(self) -> None:
        """End the thread, after what it is loading; a disk that hangs is not waited for."""
        self._stopped = True
        self._asked.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)

    def _follow(self) -> None:
        while not self._stopped:
            asked = self._asked.wait(self._check_seconds)
            self._asked.clear()
            if not self._stopped:
                self.look(asked=asked)

    def look(self, *, asked: bool = False) -> None:
        """Load what has changed since it was last tried, once it has stood still for one look.

        So a file that is being rewritten in place is not read half: half a policy can be a valid
        one, without its last regions.

        Args:
            asked: Load what there is now, whether or not it has changed.
        """
        signature = self._signature()
        if not asked:
            if signature == self._tried:
                self._moving = None
                return
            if signature != self._moving:
                self._moving = signature
                return
        self._moving = None
        start = time.perf_counter()
        try:
            with _sharing_the_interpreter():
                loaded = self._load(signature)
            if self._signature() != signature:
                # Written while it was read: what was read may be of two versions.
                self._moving = self._signature()
                if asked:
                    self._asked.set()
                return
            self._tried = signature
            self._take(loaded, start, asked=asked)
        except PairguardError as error:
            self._tried = signature
            result = "policy_refused" if isinstance(error, PolicyRefused) else "bundle_refused"
            problems = tuple(getattr(error, "problems", (str(error),)))
            self._tell(result, start, stale=True, reason=error.reason, problems=problems)
        except Exception as error:  # noqa: BLE001 - whatever it is, what serves goes on serving
            self._tried = signature
            self._log.failure("reload failed", error, method="")
            self._tell("failed", start, stale=True, reason=type(error).__name__)

    def _load(self, signature: _Signature) -> _Loaded:
        """Load what has changed, verified and warm."""
        sources, before = self._sources, self._loaded
        policy: Policy = read_policy(sources.policy_file)
        # After a refusal the bundle is read again: it may have been mended and look as before.
        if before is not None and before.signature.bundle == signature.bundle and not self._stale:
            bundle = before.bundle
        else:
            keys = trusted_keys(sources.public_key_file)
            bundle = load_bundle(sources.bundle_path, public_keys=keys)
            if before is not None and bundle.version == before.bundle.version:
                bundle = before.bundle  # the same to the byte, and what it knows already is kept
        if (
            before is not None
            and bundle is before.bundle
            and signature.policy == before.signature.policy
        ):
            return _Loaded(bundle, before.generation, signature)
        generation = compose_generation(bundle, policy)
        now = self._clock()
        warm_up(generation.at(now).judge, now=now)
        return _Loaded(bundle, generation, signature)

    def _take(self, loaded: _Loaded, start: float, *, asked: bool) -> None:
        before = self._loaded
        changed = before is None or loaded.generation is not before.generation
        del before  # so that nothing here keeps it while the rest is cleaned up
        if changed:
            self._serve(loaded)
        else:
            self._loaded = loaded
        self._tell("used" if changed else "unchanged", start, stale=False)
        if changed or asked:
            try:
                self._on_change(loaded.generation)
            except Exception as error:  # noqa: BLE001 - what serves is served already
                self._log.failure("what follows a reload failed", error, method="")

    def _serve(self, loaded: _Loaded) -> None:
        self._loaded = loaded
        generation = loaded.generation
        self._generations.put(generation)
        self._metrics.tell_generation(
            generation.bundle_version, generation.policy_version, generation.bundle_load_seconds
        )
        self._metrics.generation.tell_load_time(self._clock())

    def _tell(
        self,
        result: str,
        start: float,
        *,
        stale: bool,
        reason: str = "",
        problems: tuple[str, ...] = (),
    ) -> None:
        self._stale = stale
        self._metrics.generation.observe_reload(result, stale=stale)
        generation = self._generations.current
        self._log.reload(
            result,
            bundle_version=generation.bundle_version,
            policy_version=generation.policy_version,
            duration_seconds=time.perf_counter() - start,
            reason=reason,
            problems=problems,
        )

    def _signature(self) -> _Signature:
        sources = self._sources
        files: list[tuple[str, _FileSignature]] = []
        if sources.public_key_file is not None:
            files.append(("", file_signature(sources.public_key_file)))
        with suppress(BundleRefused, OSError):
            directory = locate_bundle(sources.bundle_path)
            files.append((str(directory), file_signature(directory)))
            names = sorted(each.name for each in directory.iterdir())
            # More than these are refused anyway.
            files += [(name, file_signature(directory / name)) for name in names[:_MOST_FILES]]
        policy = None if sources.policy_file is None else file_signature(sources.policy_file)
        return _Signature(tuple(files), policy)


@contextmanager
def _sharing_the_interpreter() -> Iterator[None]:
    """Let calls have the interpreter soon while this thread computes."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
