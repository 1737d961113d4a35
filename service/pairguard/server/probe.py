"""``python -m pairguard.server.probe``: is the server of this machine healthy?

Owns one health check and its exit code: 0 SERVING, 1 anything else. Made for a container's
health check: it loads nothing of the server but its settings.
"""

from __future__ import annotations

import argparse
import os
import sys

import grpc
from grpc_health.v1 import health_pb2

from pairguard.errors import ConfigurationRefused
from pairguard.server.addresses import Address, parse_address
from pairguard.server.settings import Settings, read_settings


def main() -> int:
    """Ask once; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pairguard.server.probe")
    parser.add_argument("address", nargs="?", help="host:port; by default that of the settings")
    parser.add_argument("--service", default="readiness", help="the health name to ask for")
    parser.add_argument("--timeout-seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    try:
        address = arguments.address or str(_address(read_settings(os.environ)).to_call())
    except ConfigurationRefused as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(
                health_pb2.HealthCheckRequest(service=arguments.service),
                timeout=arguments.timeout_seconds,
            )
        except grpc.RpcError as error:
            sys.stderr.write(f"{address}: {error.code().name}\n")
            return 1
    sys.stdout.write(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) + "\n")
    return 0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1


def _address(settings: Settings) -> Address:
    if settings.health_address is not None:
        return parse_address(settings.health_address)
    if settings.tls_on:
        raise ConfigurationRefused(["health_address: with TLS, health is asked for there; set it"])
    return settings.grpc_address


if __name__ == "__main__":
    sys.exit(main())
