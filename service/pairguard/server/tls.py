"""The server's certificate and whom it trusts, read again for each new connection if they changed.

Owns what the files must hold and how gRPC is given them. It must not know who may call what: a
certificate that is trusted opens a connection and nothing else.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import grpc

from pairguard.errors import ConfigurationRefused
from pairguard.server.certificate_time import expire_time
from pairguard.server.followed_files import FollowedFiles
from pairguard.server.settings import Settings

_UNSAFE_KEY_MODE: Final = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP | stat.S_IXOTH
_MAX_BYTES: Final = 1_048_576


class ServerTls:
    """TLS of one server.

    Args:
        certificate: PEM of its certificate, then of those between it and the authority.
        key: PEM of its key, which must not be readable by everybody.
        client_ca: PEM of the authorities whose clients may connect; None: everybody may.
        on_reload: Called after each time that changed files were read, with whether they are used.
        on_expire_time: Called with the time, seconds since 1970, until when a certificate that is
            taken into use is valid.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        client_ca: Path | None,
        *,
        on_reload: Callable[[bool], None],
        on_expire_time: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._on_expire_time = on_expire_time
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        paths = [certificate, key] if client_ca is None else [certificate, key, client_ca]
        self._files = FollowedFiles(paths, self._load, on_reload=on_reload, check_seconds=0.0)
        self._given: grpc.ServerCertificateConfiguration | None = None

    def check(self) -> None:
        """Read the files.

        Raises:
            ConfigurationRefused: With every problem found; none of them shows what is in a file.
        """
        self._load()

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that follow the files.

        Raises:
            ConfigurationRefused: The files cannot be used.
        """
        self._given = self._files.start()
        return grpc.dynamic_ssl_server_credentials(
            self._given,
            # None, "no change", is known to gRPC and not to its stubs.
            cast("Callable[[], grpc.ServerCertificateConfiguration]", self._changed),
            require_client_authentication=self._client_ca is not None,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what a new connection is to use from now on; None: what is in use."""
        current = self._files.current()
        if current is self._given:
            return None
        self._given = current
        return current

    def _load(self) -> grpc.ServerCertificateConfiguration:
        content = self._read()
        problems = self._problems()
        if problems:
            raise ConfigurationRefused(problems)
        if self._read() != content:
            raise ConfigurationRefused(["the files of TLS were changed while they were read"])
        certificate, key, client_ca = content
        valid_until = expire_time(certificate)
        if valid_until is not None:
            self._on_expire_time(valid_until)
        return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)

    def _read(self) -> tuple[bytes, bytes, bytes | None]:
        problems: list[str] = []
        certificate = _read("tls_certificate_file", self._certificate, problems)
        key = _read("tls_key_file", self._key, problems, unsafe_mode=_UNSAFE_KEY_MODE)
        client_ca = None
        if self._client_ca is not None:
            client_ca = _read("tls_client_ca_file", self._client_ca, problems)
        if problems:
            raise ConfigurationRefused(problems)
        return certificate, key, client_ca

    def _problems(self) -> list[str]:
        """Return what is wrong with files that can be read."""
        problems = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password a key that wants one is refused; otherwise it is asked for.
            context.load_cert_chain(self._certificate, self._key, password="")
        except (ssl.SSLError, ValueError, OSError):
            problems.append(
                "tls_certificate_file and tls_key_file: must be PEM, of a certificate and of its "
                "own key without a password"
            )
        if self._client_ca is not None:
            try:
                context.load_verify_locations(self._client_ca)
            except (ssl.SSLError, ValueError, OSError):
                problems.append("tls_client_ca_file: must be PEM of at least one certificate")
        return problems


def tls_of(
    settings: Settings,
    *,
    on_reload: Callable[[bool], None],
    on_expire_time: Callable[[float], None] = lambda _: None,
) -> ServerTls | None:
    """Return the TLS that settings name; None: none."""
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return ServerTls(
        settings.tls_certificate_file,
        settings.tls_key_file,
        settings.tls_client_ca_file,
        on_reload=on_reload,
        on_expire_time=on_expire_time,
    )


def _read(name: str, path: Path, problems: list[str], *, unsafe_mode: int = 0) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_BYTES)
    except OSError as error:
        problems.append(f"{name}: {path} cannot be read: {error.strerror}")
        return b""
    if mode & unsafe_mode:
        problems.append(
            f"{name}: {path} has mode {stat.S_IMODE(mode):04o}; it must not be readable by "
            "everybody nor writable by others: set mode 0600 or 0440"
        )
    return content
