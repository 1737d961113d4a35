"""Which of the latest chats of an id have been counted.

Owns their list: records of twelve bytes (eight that stand for the chat, minute since 1970 and
flags), in the order in which they came, capped by number and age. It lets the start and the end of
a chat count once each, whoever tells of them and in whatever order.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

STARTED: Final = 1
ENDED: Final = 2
KEEP_SECONDS: Final = 86_400.0
"""After it a chat that is told of again counts again, and one that has not ended is not open."""
MAX_CHATS: Final = 64

_DIGEST_BYTES: Final = 8
_RECORD = struct.Struct("<8sI")
_FLAG_BITS: Final = 2
_FLAGS: Final = (1 << _FLAG_BITS) - 1


def chat_flags(section: bytes, chat: str) -> int:
    """Return which of ``STARTED`` and ``ENDED`` are known of a chat."""
    if not section:
        return 0
    place = _find(section, _digest(chat))
    return _flags_at(section, place) if place >= 0 else 0


def with_chat(section: bytes, chat: str, time: float, flag: int) -> bytes:
    """Return a list in which a chat has one flag more.

    Args:
        section: The list before; b"": empty.
        chat: Hash of the chat's id.
        time: Seconds since 1970.
        flag: ``STARTED`` or ``ENDED``.

    Raises:
        ValueError: The list is damaged.
    """
    if len(section) % _RECORD.size:
        raise ValueError("a list of chats ends within a record")
    digest = _digest(chat)
    minute = max(int(time // 60.0), 0)
    place = _find(section, digest)
    if place >= 0:
        flag |= _flags_at(section, place)
        minute = max(minute, _minute_at(section, place))
        section = section[:place] + section[place + _RECORD.size :]
    start = max(len(section) - (MAX_CHATS - 1) * _RECORD.size, 0)
    oldest = int((time - KEEP_SECONDS) // 60.0)
    while start < len(section) and _minute_at(section, start) < oldest:
        start += _RECORD.size
    return section[start:] + _RECORD.pack(digest, minute << _FLAG_BITS | flag)


def _digest(chat: str) -> bytes:
    return blake2b(chat.encode(), digest_size=_DIGEST_BYTES).digest()


def _find(section: bytes, digest: bytes) -> int:
    place = section.find(digest)
    while place >= 0 and place % _RECORD.size:
        place = section.find(digest, place + 1)
    return place


def _flags_at(section: bytes, place: int) -> int:
    return int(_RECORD.unpack_from(section, place)[1]) & _FLAGS


def _minute_at(section: bytes, place: int) -> int:
    return int(_RECORD.unpack_from(section, place)[1]) >> _FLAG_BITS
