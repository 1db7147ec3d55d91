"""Limits where a user gives none, and the largest that can be given."""

TIMEOUT = 300.0
"""Seconds that one case may take on one backend, and a model file to be read."""
MAX_TIMEOUT = 1e6
"""Eleven days: longer is more than a clock can wait for."""
