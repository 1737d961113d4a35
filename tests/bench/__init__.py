"""Benchmarks: they print numbers and are never part of a test run."""
