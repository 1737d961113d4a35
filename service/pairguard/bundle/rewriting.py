"""A bundle again with some files replaced: certificate and report come after the fit.

Owns that everything else stays as it is, byte for byte. It must not know what the files say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pairguard.bundle.directory import locate_bundle, read_bundle_files
from pairguard.bundle.manifest import CERTIFICATE, MANIFEST, REPORT, Manifest
from pairguard.bundle.writing import write_bundle
from pairguard.errors import BundleRefused

REPLACEABLE = frozenset({CERTIFICATE, REPORT})
"""Files that change no score."""


def rewrite_bundle(
    source: Path, target: Path, files: Mapping[str, bytes], *, notes: Sequence[str] = ()
) -> Manifest:
    """Write a copy of a bundle with other files in some places; it is another version.

    Args:
        source: The bundle, or a root whose current version is meant.
        target: Where the copy is to be; nothing may be there yet.
        files: Content by name, of ``REPLACEABLE`` alone.
        notes: Sentences to add to the manifest's.

    Raises:
        BundleRefused: The source does not verify, a file may not be replaced, or something is
            at the target.
        OSError: It could not be written; nothing was left behind.
    """
    wrong = sorted(set(files) - REPLACEABLE)
    if wrong:
        raise BundleRefused(
            f"{', '.join(wrong)}: made by the fit and never replaced", reason="BUNDLE_INVALID"
        )
    read = read_bundle_files(locate_bundle(source))
    contents = {name: content for name, content in read.contents.items() if name != MANIFEST}
    manifest = read.manifest
    return write_bundle(
        target,
        contents | dict(files),
        created=manifest.created,
        schema_hash=manifest.schema_hash,
        data_hash=manifest.data_hash,
        seeds=manifest.seeds,
        metrics=manifest.metrics,
        notes=(*manifest.notes, *notes),
    )
