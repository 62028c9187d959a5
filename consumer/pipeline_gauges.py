"""What is held between fetch and acknowledgement, and the membership in the group, as gauges."""

from penstock.consumer.assignment import Assignment
from penstock.consumer.backpressure import Bounds, Valve
from penstock.core.metrics import Metrics


def show_pipeline(metrics: Metrics, valve: Valve, bounds: Bounds, assignment: Assignment) -> None:
    """Have the gauges read where things stand when they are asked for, in the HTTP server's thread."""
    metrics.max_bytes.set(bounds.max_bytes)
    metrics.max_rows.set(bounds.max_rows)
    metrics.buffered_bytes.set_function(lambda: valve.bytes)
    metrics.buffered_rows.set_function(lambda: valve.rows)
    metrics.partitions.set_function(lambda: len(assignment.open))
    metrics.epoch.set_function(lambda: assignment.epoch)
