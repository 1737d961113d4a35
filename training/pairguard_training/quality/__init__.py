"""How near a fit comes to what could be known, measured on simulated platforms.

Nothing here speaks of a real platform. A model is fitted to one simulated platform and judged on
another, of other seeds, beside the oracle that knows how both were made.
"""
