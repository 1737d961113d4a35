"""Several server processes on one port: who starts them, watches them and speaks for them.

A worker is the whole server (``pairguard.server.composition``) in a process of its own. The
supervisor starts workers, never by a fork of a process that has loaded gRPC, and loads neither gRPC
nor a model itself.
"""
