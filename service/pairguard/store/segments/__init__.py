"""The local journal: what a process wrote down before it answered, in files of its own.

A process appends to segment files (``writing``), which anybody can read (``reading``) and one
process at a time carries over into the store (``importing``, ``worker``). Payloads are opaque
bytes: it must not know what a record means, nor which store it goes to.
"""
