"""Studies of the worker under measurement: how it batches, and how it grows with processes. See docs/benchmarks/."""
