"""A reviewed document and an assessed pair in, a decision out.

Pure: no files, no clock, no network.
"""
