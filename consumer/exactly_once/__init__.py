"""Delivery exactly once: outcomes and committed state in one transaction."""
