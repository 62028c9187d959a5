"""What is compared, each a program of its own: `python -m benchmarks.contestants.NAME`, in its own environment.

Nothing here imports Penstock, and each module imports only what its environment has.
"""
