"""The worker: records in, replies out. Start at `service.py`, then `worker.py`."""
