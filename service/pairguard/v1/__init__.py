"""Messages and stubs generated from ``proto/pairguard/v1``: do not edit.

``<file>_pb2`` hold the messages and need only protobuf; ``<file>_service_pb2_grpc`` need grpc.
"""
