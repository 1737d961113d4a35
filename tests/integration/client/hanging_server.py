"""A server that takes a call and never answers, as a process of its own, to be killed."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from pairguard.v1.assessment_pb2 import PairAssessment
from tests.integration.client.scripted_service import ScriptedService, start_server


def hang(_: grpc.ServicerContext) -> PairAssessment:
    """Say that a call came in, and wait for the end."""
    sys.stdout.write("called\n")
    sys.stdout.flush()
    threading.Event().wait()
    raise AssertionError


if __name__ == "__main__":
    server, address = start_server(ScriptedService(hang), ThreadPoolExecutor(8))
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    server.wait_for_termination(60)
