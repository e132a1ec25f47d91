"""What holds for every test."""

from hypothesis import settings

# How long an example takes says something of the machine, not of the code; speed is measured in benchmarks/.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
