"""What the service has seen of a participant, and what that says now.

Owns the state of one id (a row), how it changes, and how windows are summed when it is read. It
must not know where rows are kept (``pairguard.store``), how anything arrived, nor what a rule or a
model makes of it. All ids in it are keyed hashes.
"""
