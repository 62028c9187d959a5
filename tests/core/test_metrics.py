"""Metrics: one closed list, each worker process its own registry."""

from importlib.metadata import version
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from penstock.core.metrics import Metrics

NAMES = {
    "penstock_assigned_partitions",
    "penstock_assignment_epoch",
    "penstock_batch_rows",
    "penstock_buffered_bytes",
    "penstock_buffered_bytes_limit",
    "penstock_buffered_rows",
    "penstock_buffered_rows_limit",
    "penstock_commits",
    "penstock_control_commands",
    "penstock_control_epoch",
    "penstock_control_failed",
    "penstock_control_lag_seconds",
    "penstock_dead_letters",
    "penstock_delayed_bytes",
    "penstock_delayed_requests",
    "penstock_failure_cap",
    "penstock_failure_cap_trips",
    "penstock_inference_seconds",
    "penstock_lag_records",
    "penstock_loop_blocks",
    "penstock_lost_requests",
    "penstock_model_bytes",
    "penstock_model_loaded",
    "penstock_model_serving",
    "penstock_paused",
    "penstock_publish_seconds",
    "penstock_queue_seconds",
    "penstock_requests",
    "penstock_restarts",
    "penstock_shadow_compared_rows",
    "penstock_shadow_difference",
    "penstock_shadow_dropped",
    "penstock_shadow_requests",
    "penstock_shadow_seconds",
    "penstock_skipped",
    "penstock_stalls",
    "penstock_throttled",
    "penstock_transaction_seconds",
    "penstock_transactions",
    "penstock_worker_info",
}
OF_THE_PROCESS = {
    "process_cpu_seconds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}  # on Linux alone


def families(metrics: Metrics) -> dict[str, str]:
    text = generate_latest(metrics.registry).decode()
    return {family.name: family.documentation for family in text_string_to_metric_families(text)}


def test_the_names_are_a_closed_list_and_every_one_is_explained() -> None:
    found = {name: help_text for name, help_text in families(Metrics()).items() if not name.endswith("_created")}
    assert {name for name in found if not name.startswith("process_")} == NAMES
    assert all(found.values())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the figures of a process come from /proc")
def test_what_the_process_itself_uses_is_there() -> None:
    assert set(families(Metrics())) >= OF_THE_PROCESS


def test_worker_says_who_it_is() -> None:
    metrics = Metrics()
    metrics.describe(client_id="penstock-1", group="predictions", processes=2)

    labels = {"client_id": "penstock-1", "group": "predictions", "processes": "2", "version": version("penstock-kafka")}
    assert metrics.registry.get_sample_value("penstock_worker_info", labels) == 1


def test_two_workers_in_one_process_do_not_share_counts() -> None:
    one, other = Metrics(), Metrics()
    one.requests.labels("iris", "ok").inc(3)
    assert one.registry.get_sample_value("penstock_requests_total", {"model": "iris", "outcome": "ok"}) == 3
    assert other.registry.get_sample_value("penstock_requests_total", {"model": "iris", "outcome": "ok"}) is None
