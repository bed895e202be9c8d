"""Hypothesis without a deadline: the first call of a polars function may be slow on a busy machine."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
