"""The pages of worker processes: fetched, read, and compared."""
