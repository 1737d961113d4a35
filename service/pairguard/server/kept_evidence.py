"""Age evidence that was kept, put beside evidence that is sent.

Owns how a kept item is read, and when a sent one is the same. What was sent and what was kept count
once where they are the same item; where a caller sends other content under the id of a kept item,
both count, so that nothing that was kept is taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from pairguard.age.evidence import AgeEvidence, PlatformAgeRange, SelfDeclared
from pairguard.errors import StoreUnavailable
from pairguard.history.kept_evidence import KeptItem
from pairguard.server.evidence_conversion import EvidenceReader
from pairguard.server.record_hashing import UNLISTED_PROVIDER
from pairguard.server.violations import Violations
from pairguard.store.identity import IdentityKey, IdentityKeys
from pairguard.v1 import participant_pb2

_WITHOUT_CAPTURE: Final = (SelfDeclared, PlatformAgeRange)


@lru_cache(maxsize=4_096)
def evidence_of(kept: KeptItem) -> AgeEvidence:
    """Return an item of evidence as it was kept; ids in it are hashes.

    Raises:
        StoreUnavailable: This version cannot read it, which is as good as unread.
    """
    violations = Violations()
    message = participant_pb2.AgeEvidence()
    try:
        message.ParseFromString(kept.content)
    except Exception as error:  # protobuf's own kinds
        raise StoreUnavailable("kept evidence is damaged") from error
    item = EvidenceReader("", kept.time, violations).read_item(message)
    if item is None or len(violations):
        raise StoreUnavailable("kept evidence is of a kind that this version does not know")
    return item if kept.own else replace(item, of_linked=True)


def copies_among(
    kept: Sequence[KeptItem], sent: AgeEvidence, keys: IdentityKeys
) -> list[tuple[KeptItem, bool]]:
    """Return the kept items under the id of a sent one, by any key, and whether they say the same.

    Raises:
        StoreUnavailable: One of them cannot be read.
    """
    hashed = [_hashed(sent, key) for key in (keys.current, *keys.retired)]
    return [
        (each, _is_copy(item, evidence_of(each)))
        for item in hashed
        for each in kept
        if each.evidence.hex() == item.evidence_id
    ]


def with_kept(
    sent: tuple[AgeEvidence, ...], kept: Sequence[KeptItem], keys: IdentityKeys
) -> tuple[tuple[AgeEvidence, ...], tuple[KeptItem, ...]]:
    """Return all items, the sent ones first, and those of the kept that were not sent."""
    if not sent:
        return tuple([evidence_of(item) for item in kept]), tuple(kept)
    hashed = tuple([_hashed(item, keys.current) for item in sent])
    by_id = {item.evidence_id: item for item in hashed if item.evidence_id}
    for key in keys.retired:
        for sent_item in sent:
            if sent_item.evidence_id:
                item = _hashed(sent_item, key)
                by_id[item.evidence_id] = item
    further = []
    items = []
    for each in kept:
        item = evidence_of(each)
        same = by_id.get(item.evidence_id)
        if same is None or not _is_copy(same, item):
            items.append(item)
            further.append(each)
    return hashed + tuple(items), tuple(further)


def _hashed(item: AgeEvidence, key: IdentityKey) -> AgeEvidence:
    """Return a sent item with its ids as they are kept, so that both can be compared."""
    observation = item.observation
    if not isinstance(observation, _WITHOUT_CAPTURE) and observation.capture_session:
        capture = key.hash(f"capture:{observation.capture_session}").hex()
        observation = replace(observation, capture_session=capture)
    evidence_id = key.hash(f"evidence:{item.evidence_id}").hex() if item.evidence_id else ""
    return replace(item, observation=observation, evidence_id=evidence_id)


def _is_copy(sent: AgeEvidence, kept: AgeEvidence) -> bool:
    """Return whether both say the same; of a provider only a name is kept, in lower case.

    An item that was told of somebody linked and is sent again of this one is this one's.
    """
    same_provider = kept.provider in (sent.provider.lower(), UNLISTED_PROVIDER)
    return same_provider and (
        replace(sent, provider=kept.provider, of_linked=kept.of_linked) == kept
    )
