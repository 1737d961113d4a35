"""Authorities and certificates made by openssl, for this machine and two days."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import grpc

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    @property
    def pem(self) -> tuple[bytes, bytes]:
        """Return key and certificate, as gRPC takes them."""
        return self.key.read_bytes(), self.certificate.read_bytes()

    def replace(self, other: Identity) -> None:
        """Put another identity in the place of this one, each file in one step."""
        for mine, new in ((self.key, other.key), (self.certificate, other.certificate)):
            partial = mine.with_suffix(".new")
            partial.write_bytes(new.read_bytes())
            partial.chmod(0o600)
            partial.replace(mine)


class Authority:
    """An authority of its own, in a directory of its own."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir()
        self._directory = directory
        self._name = name
        self.certificate = directory / "ca.pem"
        self._openssl(
            *("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", "ca.key", "-out", "ca.pem"),
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.read_bytes()

    def issue(self, file: str, *, common_name: str, names: str = "") -> Identity:
        """Make a certificate; ``names`` as openssl writes them: ``IP:127.0.0.1``."""
        self._openssl(
            *("req", "-new", *_KEY, "-subj", f"/CN={common_name}"),
            *("-keyout", f"{file}.key", "-out", f"{file}.csr"),
        )
        extensions = self._directory / f"{file}.ext"
        extensions.write_text(
            "basicConstraints = CA:FALSE\n" + (f"subjectAltName = {names}\n" if names else "")
        )
        self._openssl(
            *("x509", "-req", "-days", "2", "-in", f"{file}.csr", "-extfile", extensions.name),
            *("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{file}.pem"),
        )
        key = self._directory / f"{file}.key"
        key.chmod(0o600)
        return Identity(self._directory / f"{file}.pem", key)

    def issue_server(self, file: str) -> Identity:
        """Make a certificate for a server of this machine."""
        return self.issue(file, common_name=f"{self._name} server", names="IP:127.0.0.1")

    def channel_credentials(self, client: Identity | None = None) -> grpc.ChannelCredentials:
        """Return credentials that trust this authority and show a certificate, if any."""
        if client is None:
            return grpc.ssl_channel_credentials(self.pem)
        return grpc.ssl_channel_credentials(self.pem, *client.pem)

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments],  # noqa: S607 - whichever this machine has
            cwd=self._directory,
            check=True,
            capture_output=True,
            timeout=30,
        )
