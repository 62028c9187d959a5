"""Decoding: the values of many requests become columns. Begin with `decoder`."""
