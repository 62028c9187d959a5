"""The demo: real models, a real Kafka, worker processes, every answer compared, all on this machine."""
