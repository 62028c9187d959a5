"""Metrics: one closed list, each worker process its own registry."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from penstock.core.metrics import Metrics

NAMES = {
    "penstock_assigned_partitions",
    "penstock_assignment_epoch",
    "penstock_batch_rows",
    "penstock_buffered_bytes",
    "penstock_buffered_rows",
    "penstock_commits",
    "penstock_dead_letters",
    "penstock_inference_seconds",
    "penstock_lag_records",
    "penstock_model_loaded",
    "penstock_paused",
    "penstock_publish_seconds",
    "penstock_queue_seconds",
    "penstock_requests",
    "penstock_skipped",
}


def families(metrics: Metrics) -> dict[str, str]:
    text = generate_latest(metrics.registry).decode()
    return {family.name: family.documentation for family in text_string_to_metric_families(text)}


def test_the_names_are_a_closed_list_and_every_one_is_explained() -> None:
    found = {name: help_text for name, help_text in families(Metrics()).items() if not name.endswith("_created")}
    assert set(found) == NAMES
    assert all(found.values())


def test_two_workers_in_one_process_do_not_share_counts() -> None:
    one, other = Metrics(), Metrics()
    one.requests.labels("iris", "ok").inc(3)
    assert one.registry.get_sample_value("penstock_requests_total", {"model": "iris", "outcome": "ok"}) == 3
    assert other.registry.get_sample_value("penstock_requests_total", {"model": "iris", "outcome": "ok"}) is None
