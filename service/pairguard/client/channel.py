"""Channels to the service, from options.

Owns the settings of gRPC that make a client recover quickly. It must not know calls.
"""

from __future__ import annotations

import grpc

from pairguard import __version__
from pairguard.client.address import stays_on_machine
from pairguard.client.credentials import TlsOptions
from pairguard.client.options import ClientOptions

_KEEPALIVE_TIMEOUT_SECONDS = 5
# gRPC's own would leave a service that is back alone for up to two minutes, and an address that
# answers nothing untried for twenty seconds. The first two may not be below 0.1.
_FIRST_RECONNECT_SECONDS = 0.1
_LAST_RECONNECT_SECONDS = 1.0
_CONNECT_TIMEOUT_SECONDS = 2.0


def open_channel(options: ClientOptions) -> grpc.Channel:
    """Return a channel for blocking calls; it connects when it is first used."""
    arguments = channel_arguments(options)
    if options.tls is None:
        return grpc.insecure_channel(options.address, options=arguments)
    return grpc.secure_channel(options.address, _credentials(options.tls), options=arguments)


def open_aio_channel(options: ClientOptions) -> grpc.aio.Channel:
    """Return a channel for the running event loop; it connects when it is first used."""
    arguments = channel_arguments(options)
    if options.tls is None:
        return grpc.aio.insecure_channel(options.address, options=arguments)
    return grpc.aio.secure_channel(options.address, _credentials(options.tls), options=arguments)


def channel_arguments(options: ClientOptions) -> list[tuple[str, str | int | bytes]]:
    """Return the arguments of a channel by gRPC's names."""
    arguments: dict[str, str | int | bytes] = {
        "grpc.primary_user_agent": f"pairguard-client/{__version__}",
        "grpc.max_send_message_length": options.max_message_bytes,
        "grpc.max_receive_message_length": options.max_message_bytes,
        "grpc.initial_reconnect_backoff_ms": _milliseconds(_FIRST_RECONNECT_SECONDS),
        "grpc.max_reconnect_backoff_ms": _milliseconds(_LAST_RECONNECT_SECONDS),
        # The timeout of a connection attempt, whatever its name says.
        "grpc.min_reconnect_backoff_ms": _milliseconds(_CONNECT_TIMEOUT_SECONDS),
    }
    if options.keepalive_seconds is not None:
        arguments["grpc.keepalive_time_ms"] = _milliseconds(options.keepalive_seconds)
        arguments["grpc.keepalive_timeout_ms"] = _milliseconds(_KEEPALIVE_TIMEOUT_SECONDS)
    if stays_on_machine(options.address):
        # A proxy that the environment names would take a call to this machine elsewhere.
        arguments["grpc.enable_http_proxy"] = 0
    return list((arguments | dict(options.channel_options)).items())


def _credentials(tls: TlsOptions) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        tls.root_certificates, tls.private_key, tls.certificate_chain
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
