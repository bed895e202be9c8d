"""Comparisons with other tools and with our own limits: ``python -m benchmarks [--quick] [name ...]``."""
