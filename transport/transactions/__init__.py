"""Transactions, request by request."""
