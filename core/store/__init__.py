"""Versions of models as immutable, verified folders, near or far."""
