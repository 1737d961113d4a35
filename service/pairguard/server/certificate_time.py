"""Until when a certificate is valid: the one thing that Python's own TLS does not tell of a file.

Owns as much of X.509's DER (RFC 5280, 4.1) as lies before that time. It must not judge a
certificate: whoever calls has had it loaded and matched with its key.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from typing import Final

_FIRST: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\s", re.DOTALL)
_EXPLICIT_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_BEFORE_VALIDITY: Final = 3  # serial number, signature algorithm, issuer


def expire_time(pem: bytes) -> float | None:
    """Return until when the first certificate is valid, seconds since 1970; None: cannot be told.

    Args:
        pem: Certificates in PEM, the server's own first.
    """
    found = _FIRST.search(pem + b"\n")
    if found is None:
        return None
    try:
        certificate = _content(ssl.PEM_cert_to_DER_cert(found[0].strip().decode("ascii")), 0)[1]
        fields = _content(certificate, 0)[1]
        tag, _, after = _content(fields, 0)
        place = after if tag == _EXPLICIT_VERSION else 0
        for _ in range(_BEFORE_VALIDITY):
            place = _content(fields, place)[2]
        validity = _content(fields, place)[1]
        tag, text, _ = _content(validity, _content(validity, 0)[2])
        return _time(tag, text.decode("ascii"))
    except (ValueError, IndexError):
        return None


def _content(der: bytes, place: int) -> tuple[int, bytes, int]:
    """Return tag and content of the element at a place, and the place behind it."""
    tag, length, start = der[place], der[place + 1], place + 2
    if length & 0x80:
        more = length & 0x7F
        length, start = int.from_bytes(der[start : start + more], "big"), start + more
    if start + length > len(der):
        raise ValueError("the element is cut off")
    return tag, der[start : start + length], start + length


def _time(tag: int, text: str) -> float:
    if tag == _UTC_TIME:
        # RFC 5280, 4.1.2.5.1: years of two digits up to 49 are of this century.
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
