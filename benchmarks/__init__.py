"""Measurements; see `compare.py`."""
