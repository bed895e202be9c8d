"""Iceberg: which of embedding, metric and index loses what a task needs. A module per part."""
