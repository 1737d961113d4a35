"""Deciding again what was decided: a policy or a bundle over logged decisions.

Records become logged decisions (``journal_source``, ``tables_source``), the service's own judge
decides them again (``deciding_again``), and what would change is counted in one pass (``tally``).
"""
