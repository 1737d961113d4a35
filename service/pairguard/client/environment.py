"""Options from environment variables.

Owns the names ``PAIRGUARD_CLIENT_*`` and how their text is read. It must not know what the options
mean: ``pairguard.client.options`` checks them. Secrets are given by path only.

===================================  ==============================================================
``PAIRGUARD_CLIENT_ADDRESS``         gRPC target; required
``..._TIMEOUT_SECONDS``              for each call that judges, with all its attempts
``..._RECORD_TIMEOUT_SECONDS``       for each call that records, erases or looks up
``..._MAX_ATTEMPTS``                 1-10
``..._ON_FAILURE``                   ``reroute`` or ``raise``
``..._TOKEN_PATH``                   file with the bearer token; read again when it is replaced
``..._TLS``                          ``true``: TLS with the authorities that gRPC comes with
``..._ROOT_CERTIFICATES_PATH``       PEM of the authorities to trust; means TLS
``..._CERTIFICATE_CHAIN_PATH``       PEM of the client's own certificate; means TLS
``..._PRIVATE_KEY_PATH``             PEM of its key
``..._ALLOW_PLAINTEXT``              ``true`` or ``false``
``..._WAIT_FOR_READY``               ``true`` or ``false``
``..._KEEPALIVE_SECONDS``            10 or more, or ``off``
``..._MAX_MESSAGE_BYTES``            1024 or more
===================================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pairguard.client.credentials import TlsOptions, TokenFile

PREFIX = "PAIRGUARD_CLIENT_"


def option_values(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that the environment names, by the name of the option.

    Raises:
        ValueError: A name is unknown, a value cannot be read, or the address is missing; all of
            them in one message, without any value.
    """
    given = {
        name.removeprefix(PREFIX): text
        for name, text in environment.items()
        if name.startswith(PREFIX)
    }
    problems = [f"{PREFIX}{name} is unknown" for name in sorted(given.keys() - _READERS.keys())]
    if "ADDRESS" not in given:
        problems.append(f"{PREFIX}ADDRESS is missing")
    values: dict[str, Any] = {}
    for name, (option, read) in _READERS.items():
        if name in given:
            try:
                values[option] = read(given[name])
            except ValueError as error:
                problems.append(f"{PREFIX}{name}: {error}")
            except OSError as error:
                problems.append(f"{PREFIX}{name}: cannot be read ({error.strerror})")
    if not problems:
        try:
            values["tls"] = _tls(values)
        except ValueError as error:
            problems.append(f"{PREFIX}*: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return values


def _tls(values: dict[str, Any]) -> TlsOptions | None:
    """Take what concerns TLS out of ``values`` and return it as one."""
    wanted = values.pop("tls", None)
    pems = {
        name: values.pop(name)
        for name in ("root_certificates", "certificate_chain", "private_key")
        if name in values
    }
    if wanted is False and pems:
        raise ValueError("TLS is false and TLS material is given")
    return TlsOptions(**pems) if wanted or pems else None


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number of seconds") from None


def _seconds_or_off(text: str) -> float | None:
    return None if text == "off" else _seconds(text)


def _bytes_of(path: str) -> bytes:
    return Path(path).read_bytes()


def _token_file(path: str) -> TokenFile:
    return TokenFile(Path(path))


_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "ADDRESS": ("address", str),
    "TIMEOUT_SECONDS": ("timeout_seconds", _seconds),
    "RECORD_TIMEOUT_SECONDS": ("record_timeout_seconds", _seconds),
    "MAX_ATTEMPTS": ("max_attempts", _whole_number),
    "ON_FAILURE": ("on_failure", str),
    "TOKEN_PATH": ("bearer_token", _token_file),
    "TLS": ("tls", _flag),
    "ROOT_CERTIFICATES_PATH": ("root_certificates", _bytes_of),
    "CERTIFICATE_CHAIN_PATH": ("certificate_chain", _bytes_of),
    "PRIVATE_KEY_PATH": ("private_key", _bytes_of),
    "ALLOW_PLAINTEXT": ("allow_plaintext", _flag),
    "WAIT_FOR_READY": ("wait_for_ready", _flag),
    "KEEPALIVE_SECONDS": ("keepalive_seconds", _seconds_or_off),
    "MAX_MESSAGE_BYTES": ("max_message_bytes", _whole_number),
}
