"""Until when certificates are valid, as openssl wrote it into them."""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from pairguard.server.certificate_time import expire_time


def certificate(directory: Path, *more: str) -> bytes:
    """Return a new certificate in PEM, self-signed."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=server", "-keyout", "key.pem", "-out", "cert.pem", *more),
        ],
        cwd=directory,
        check=True,
        capture_output=True,
        timeout=30,
    )
    return (directory / "cert.pem").read_bytes()


def by_openssl(directory: Path) -> float:
    """Return what openssl reads from it."""
    command = ["openssl", "x509", "-in", "cert.pem", "-noout", "-enddate"]
    output = subprocess.run(
        command, cwd=directory, check=True, capture_output=True, text=True, timeout=30
    ).stdout
    text = output.strip().replace("GMT", "+0000")
    return datetime.strptime(text, "notAfter=%b %d %H:%M:%S %Y %z").timestamp()


# Beyond 2049 the time is written in another form.
@pytest.mark.parametrize("days", ["1", "400", "20000"])
def test_it_is_what_openssl_reads(tmp_path: Path, days: str) -> None:
    pem = certificate(tmp_path, "-days", days)

    assert expire_time(pem) == by_openssl(tmp_path)


def test_the_first_of_several_counts_whatever_stands_before_it(tmp_path: Path) -> None:
    later = certificate(tmp_path, "-days", "9")
    first = certificate(tmp_path, "-days", "3")

    assert expire_time(b"subject=server\n" + first + later) == by_openssl(tmp_path)
    assert expire_time(first.rstrip()) == by_openssl(tmp_path)


def test_what_is_none_has_no_time(tmp_path: Path) -> None:
    whole = certificate(tmp_path)
    lines = whole.splitlines(keepends=True)

    for pem in (b"", b"x", whole[:80], lines[0] + lines[-1], b"".join((*lines[:3], lines[-1]))):
        assert expire_time(pem) is None
