"""Drift of tables and bundles against what a bundle was trained on.

Owns how people are sampled for it and how it is told. It must not know how drift is measured:
``pairguard.drift`` does, for the service as well.
"""
