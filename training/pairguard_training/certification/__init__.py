"""Certificates: which numbers keep which promises, and how sure that is.

Each module has one idea: ``bounds`` the exact binomial bound, ``verified_people`` who counts,
``matching`` who is paired with whom, ``certifying`` the numbers, ``register`` that a holdout is
used once, ``document`` what is written, ``coverage`` the proof by recalibrations of a simulation.
"""
