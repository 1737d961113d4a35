"""Settings of the whole suite."""

from hypothesis import settings

# An example that takes long is no failure: the suite runs on machines that do other things too.
settings.register_profile("pairguard", deadline=None)
settings.load_profile("pairguard")
