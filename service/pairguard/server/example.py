"""``python -m pairguard.server.example``: one call, to see the service answer.

Owns one example pair. Needs the generated contract and grpc, nothing else of pairguard.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import grpc
from google.protobuf import json_format

from pairguard.v1 import assessment_pb2, pair_risk_service_pb2, participant_pb2
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub

_DAY_SECONDS = 86_400


def example_request(now: float) -> pair_risk_service_pb2.ScorePairRequest:
    """Return a pair: an adult by a wallet's word, and somebody who only says so."""
    request = pair_risk_service_pb2.ScorePairRequest()
    checked = request.participant_a
    checked.participant_id = "session-7f3a"
    checked.region = "GB"
    checked.signals["account_age_days"] = 420
    item = checked.age_evidence.add(binding=participant_pb2.BINDING_LIVE_PERSON)
    item.observed_time.seconds = int(now) - _DAY_SECONDS
    item.age_check.method = participant_pb2.CHECK_METHOD_DIGITAL_WALLET
    item.age_check.threshold_years = 18
    item.age_check.result = participant_pb2.CHECK_RESULT_OVER
    claiming = request.participant_b
    claiming.participant_id = "session-c210"
    claiming.region = "GB"
    claiming.interests.append("homework")
    item = claiming.age_evidence.add(binding=participant_pb2.BINDING_ACCOUNT)
    item.observed_time.seconds = int(now) - _DAY_SECONDS
    item.self_declared.age_years = 19
    request.context.modality = assessment_pb2.MODALITY_VIDEO
    return request


def main() -> int:
    """Make the call and print request and answer as JSON; return 0 if it was answered."""
    parser = argparse.ArgumentParser(prog="python -m pairguard.server.example")
    parser.add_argument("address", nargs="?", default="127.0.0.1:50051", help="host:port")
    parser.add_argument("--ca", type=Path, metavar="PEM", help="TLS; the authority to trust")
    parser.add_argument("--certificate", type=Path, metavar="PEM", help="to show, with --key")
    parser.add_argument("--key", type=Path, metavar="PEM", help="of the certificate")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="bearer token to send")
    arguments = parser.parse_args()
    address = arguments.address
    if (arguments.certificate is None) != (arguments.key is None):
        parser.error("--certificate and --key are given together")
    if arguments.ca is None and arguments.certificate is not None:
        parser.error("--certificate is shown over TLS alone: give --ca")
    request = example_request(time.time())
    sys.stdout.write(f"ScorePair({json_format.MessageToJson(request)})\n")
    try:
        headers = _headers(arguments.token_file)
        opened = _channel(address, arguments.ca, arguments.certificate, arguments.key)
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 1
    with opened as channel:
        try:
            response = PairRiskServiceStub(channel).ScorePair(
                request, timeout=5.0, metadata=headers
            )
        except grpc.RpcError as error:
            sys.stderr.write(f"{address}: {error.code().name}: {error.details()}\n")
            return 1
    sys.stdout.write(f"-> {json_format.MessageToJson(response)}\n")
    return 0


def _headers(token_file: Path | None) -> tuple[tuple[str, str], ...]:
    if token_file is None:
        return ()
    return (("authorization", f"Bearer {token_file.read_text(encoding='ascii').strip()}"),)


def _channel(
    address: str, ca: Path | None, certificate: Path | None, key: Path | None
) -> grpc.Channel:
    options = [("grpc.enable_http_proxy", 0)]
    if ca is None:
        return grpc.insecure_channel(address, options=options)
    shown = None if certificate is None else certificate.read_bytes()
    credentials = grpc.ssl_channel_credentials(
        ca.read_bytes(), None if key is None else key.read_bytes(), shown
    )
    return grpc.secure_channel(address, credentials, options=options)


if __name__ == "__main__":
    sys.exit(main())
