"""Participants and pairs in, calibrated risk out. Pure: no files, no clock, no network."""
