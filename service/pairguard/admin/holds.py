"""``pairguard hold show | release``: the holds of one participant, for trust and safety.

Owns how a raw id becomes the hashes under which holds stand. A raw id is never printed, logged or
kept.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence

from pairguard.admin.access import opened
from pairguard.admin.output import EXIT_OK, Output, time_text
from pairguard.server.settings import Settings
from pairguard.store.identity import IdentityKeys
from pairguard.store.ports import KeptParticipant, ParticipantStore
from pairguard.store.records import event_record
from pairguard.v1 import feedback_service_pb2, journal_pb2

_RECORD_VERSION = 1
RELEASED_BY_OPERATOR = "OPERATOR"
"""Why a hold ended that this command released, in the record of it."""


def show(
    settings: Settings,
    output: Output,
    *,
    raw_ids: Sequence[str],
    clock: Callable[[], float] = time.time,
) -> int:
    """Show the active holds on any of these ids of one participant."""
    with opened(settings) as store:
        kept = _kept(store, raw_ids, clock())
        name = store.keys.hash(raw_ids[0]).hex()
    _tell(output, kept, name)
    return EXIT_OK


def release(
    settings: Settings,
    output: Output,
    *,
    raw_ids: Sequence[str],
    reason: str | None,
    clock: Callable[[], float] = time.time,
) -> int:
    """End active holds on these ids.

    Args:
        settings: Name the store.
        output: Where it is told how many ended.
        raw_ids: All ids of the participant; a hold on an id that is not among them stays.
        reason: Only the hold of this reason, which may be a legal one; this leaves no record in
            the journal. None: all but legal ones, recorded as the event of a release.
        clock: Seconds since 1970.
    """
    now = clock()
    with opened(settings) as store:
        store.check()
        before = _kept(store, raw_ids, now)
        keys = store.keys
        if reason is None:
            if before.holds:
                store.append([event_record(_released(keys, raw_ids, now))])
            ended = len(before.holds)
        else:
            reasons = frozenset({reason})
            ended = store.release_holds(keys.hashes(raw_ids), now=now, reasons=reasons)
        after = _kept(store, raw_ids, clock())
    output.tell(
        {"ended": ended, "left": len(after.holds)},
        [f"holds ended: {ended:,}, left: {len(after.holds):,}"],
    )
    return EXIT_OK


def _kept(store: ParticipantStore, raw_ids: Sequence[str], now: float) -> KeptParticipant:
    (kept,) = store.read([store.keys.hashes(raw_ids)], now=now)
    return kept


def _tell(output: Output, kept: KeptParticipant, name: str) -> None:
    for hold in kept.holds:
        end = "until " + time_text(hold.expire_time) if hold.expire_time else "until released"
        output.tell(
            {"reason": hold.reason, "start_time": hold.start_time, "expire_time": hold.expire_time},
            [f"{hold.reason}  since {time_text(hold.start_time)}  {end}"],
        )
    known = "something is" if kept.rows else "nothing is"
    output.say(f"holds: {len(kept.holds):,}")
    output.say(f"{known} known of its history; the journal calls it {name}")


def _released(keys: IdentityKeys, raw_ids: Sequence[str], now: float) -> journal_pb2.EventRecord:
    own, *others = (each.hex() for each in keys.hashes(raw_ids))
    message = journal_pb2.EventRecord(
        record_version=_RECORD_VERSION,
        hash_key_id=keys.current.key_id,
        event=feedback_service_pb2.Event(
            event_id=secrets.token_hex(16),
            hold_released=feedback_service_pb2.HoldReleased(
                kind=feedback_service_pb2.HOLD_KIND_PAIRING, reason_code=RELEASED_BY_OPERATOR
            ),
        ),
    )
    person = message.event.hold_released.participant
    person.participant_id = own
    person.linked_ids.extend(others)
    message.receive_time.FromNanoseconds(int(now * 1e9))
    return message
