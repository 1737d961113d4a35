"""pairguard: judges a proposed pair of strangers before it meets."""

__version__ = "0.1.0"
