"""``python -m pairguard.server.example``: one call, to see the service answer.

Owns one example pair. Needs the generated contract and grpc, nothing else of pairguard.
"""

from __future__ import annotations

import argparse
import sys
import time

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
    address = parser.parse_args().address
    request = example_request(time.time())
    sys.stdout.write(f"ScorePair({json_format.MessageToJson(request)})\n")
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            response = PairRiskServiceStub(channel).ScorePair(request, timeout=5.0)
        except grpc.RpcError as error:
            sys.stderr.write(f"{address}: {error.code().name}: {error.details()}\n")
            return 1
    sys.stdout.write(f"-> {json_format.MessageToJson(response)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
