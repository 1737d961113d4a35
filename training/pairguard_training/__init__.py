"""Training of pairguard's models: from a simulator or recorded tables to a bundle the server loads.

Uses the service's own posterior, features and calibration, so that a number means the same in both.
Knows nothing of the server, the client or the transport.
"""
