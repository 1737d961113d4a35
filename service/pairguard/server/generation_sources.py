"""Where bundle and policy lie, and whether they have changed since they were last read.

Owns what of their files is compared, and when a change has come to rest. It must not know how
either is loaded, and loads no model: the supervisor of several processes looks by this, too.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pairguard.bundle.directory import locate_bundle
from pairguard.errors import BundleRefused
from pairguard.server.followed_files import file_signature

_MOST_FILES: Final = 64

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
class Signature:
    """What differs whenever bundle or policy are others than before."""

    bundle: tuple[tuple[str, _FileSignature], ...]
    policy: _FileSignature


def signature_of(sources: Sources) -> Signature:
    """Return the signature of both as they stand; what cannot be read has one, too."""
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
    return Signature(tuple(files), policy)


class Changes:
    """Tells when bundle or policy have changed since they were last tried, and stand still.

    So a file that is being rewritten in place is not read half: half a policy can be a valid one,
    without its last regions.

    Args:
        sources: Where both lie.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._tried: Signature | None = None
        self._moving: Signature | None = None

    def now(self) -> Signature:
        """Return the signature of both as they stand; from now on they count as tried."""
        self._tried = signature = signature_of(self._sources)
        return signature

    def due(self, *, asked: bool) -> Signature | None:
        """Return the signature of what is to be tried now; None: nothing is.

        Args:
            asked: Try what there is, whether or not it has changed.
        """
        signature = signature_of(self._sources)
        if not asked:
            if signature == self._tried:
                self._moving = None
                return None
            if signature != self._moving:
                self._moving = signature
                return None
        self._moving = None
        return signature

    def is_as_it_was(self, signature: Signature) -> bool:
        """Return whether both are still as when they began to be read.

        If not, what was read may be of two versions; they are due when they next stand still.
        """
        after = signature_of(self._sources)
        if after == signature:
            return True
        self._moving = after
        return False

    def tried(self, signature: Signature) -> None:
        """Note that these were tried: they are due again when they change."""
        self._tried = signature

    def again(self) -> None:
        """Have both tried again, whether or not they change."""
        self._tried = None
