"""Inference without Kafka: models, decoding, batching, the engine, settings and metrics."""
