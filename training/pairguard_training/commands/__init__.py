"""The commands of ``pairguard-train``, a module each: ``add_arguments`` and ``run``."""
