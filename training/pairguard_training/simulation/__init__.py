"""A simulated chat platform whose every density is known, and the oracle that knows them.

Nothing here was measured on people. Rates with a source name it; all others are assumed. Numbers
computed from these tables are numbers about a simulation and must be called so.
"""
