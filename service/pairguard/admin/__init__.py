"""The command of those who run the service: the journal, the store, the keys.

It must not judge anything; it reads and keeps in order what the service has kept.
"""
