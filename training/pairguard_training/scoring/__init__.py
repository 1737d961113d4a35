"""Scores of whole tables, part by part, with the functions that serve."""
