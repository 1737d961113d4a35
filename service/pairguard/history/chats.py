"""Which of the latest chats of an id have been counted.

Owns their list: records of twelve bytes (eight that stand for the chat, minute since 1970 and
flags), in the order in which they came, capped by number and age. It lets the start and the end of
a chat count once each, whoever tells of them and in whatever order.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import blake2b
from typing import Final

STARTED: Final = 1
ENDED: Final = 2
KEEP_SECONDS: Final = 86_400.0
"""After it a chat that is told of again counts again, and one that has not ended is not open."""
MAX_CHATS: Final = 64

_DIGEST_BYTES: Final = 8
_RECORD = struct.Struct("<8sI")
_WORD = struct.Struct("<I")
_FLAG_BITS: Final = 2
_FLAGS: Final = (1 << _FLAG_BITS) - 1


def chat_flags(section: bytes, chat: str) -> int:
    """Return which of ``STARTED`` and ``ENDED`` are known of a chat."""
    if not section:
        return 0
    place = _find(section, _digest(chat))
    return _flags_at(section, place) if place >= 0 else 0


def open_chat_list(section: bytes) -> bytearray:
    """Return a list that can be changed; b"": an empty one.

    Raises:
        ValueError: The list is damaged.
    """
    if len(section) % _RECORD.size:
        raise ValueError("a list of chats ends within a record")
    return bytearray(section)


def note_chat(chats: bytearray, chat: str, time: float, flag: int) -> int:
    """Give a chat in a list one flag more, in place.

    Args:
        chats: As ``open_chat_list`` returns it.
        chat: Hash of the chat's id.
        time: Seconds since 1970.
        flag: ``STARTED`` or ``ENDED``.

    Returns:
        Which of the two were known of the chat before.
    """
    size = _RECORD.size
    digest = _digest(chat)
    minute = max(int(time // 60.0), 0)
    known = 0
    place = _find(chats, digest)
    if place >= 0:
        word = _WORD.unpack_from(chats, place + _DIGEST_BYTES)[0]
        known = word & _FLAGS
        minute = max(minute, word >> _FLAG_BITS)
        del chats[place : place + size]
    start = max(len(chats) - (MAX_CHATS - 1) * size, 0)
    oldest = int((time - KEEP_SECONDS) // 60.0)
    while (
        start < len(chats)
        and _WORD.unpack_from(chats, start + _DIGEST_BYTES)[0] >> _FLAG_BITS < oldest
    ):
        start += size
    if start:
        del chats[:start]
    chats += _RECORD.pack(digest, minute << _FLAG_BITS | flag | known)
    return known


# A start and an end are applied to the row of each id of both: the same hash eight times.
@lru_cache(maxsize=4_096)
def _digest(chat: str) -> bytes:
    return blake2b(chat.encode(), digest_size=_DIGEST_BYTES).digest()


def _find(section: bytes | bytearray, digest: bytes) -> int:
    place = section.find(digest)
    while place >= 0 and place % _RECORD.size:
        place = section.find(digest, place + 1)
    return place


def _flags_at(section: bytes | bytearray, place: int) -> int:
    return int(_RECORD.unpack_from(section, place)[1]) & _FLAGS
