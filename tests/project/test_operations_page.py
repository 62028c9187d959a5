"""docs/operations.md and deploy/alerts.yml: metrics, alerts, probes and rights are those of the code."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from penstock import Client
from penstock.broker import EmbeddedKafka
from penstock.consumer.health import HealthServer
from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import fields_of
from penstock.core.metrics import Metrics
from penstock.transport.settings import KafkaSettings
from penstock.transport.topics import create_topics
from tests.support.lane import Lane
from tests.support.messages import headers_of
from tests.support.pages import ROOT, Page
from tests.support.worker_process import WorkerProcess, fetch, variables

PAGE = Page("docs/operations.md")
NO_LABELS_OF_OURS = {"job", "instance", "le"}  # Prometheus adds them
_SUFFIXES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


def families() -> dict[str, tuple[str, set[str]]]:
    """Every metric of a worker's own: name -> its kind and labels."""
    metrics = Metrics()
    labels = {each._name: set(each._labelnames) for each in vars(metrics).values() if hasattr(each, "_labelnames")}
    found = {family.name: family.type for family in metrics.registry.collect()}
    return {name: (kind, labels[name]) for name, kind in found.items() if name.startswith("penstock_")}


def series() -> dict[str, set[str]]:
    """Every name that Prometheus stores, with its labels."""
    ours = {name + end: labels for name, (kind, labels) in families().items() for end in _SUFFIXES[kind]}
    return {**ours, "process_start_time_seconds": set()}


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml((ROOT / "deploy" / "alerts.yml").read_text())["groups"]:
        yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in alerts()}


def test_every_metric_is_listed_with_its_labels() -> None:
    shown = {"counter": "_total", "info": "_info", "histogram": "", "gauge": ""}
    expected = {name + shown[kind]: labels for name, (kind, labels) in families().items()}
    listed = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in PAGE.table("Metrics")
        if row[0] != "`process_*`"
    }
    assert listed == expected


def test_every_metric_that_is_named_anywhere_exists() -> None:
    known = {name for name, (kind, _) in families().items() if kind == "histogram"} | set(series())
    for name in ("docs/operations.md", "docs/errors.md", "README.md"):
        named = set(re.findall(r"\bpenstock_[a-z_]+", " ".join(Page(name).code())))
        assert named <= known, name


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS.keys())
def test_alert_speaks_of_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"\b(?:penstock|process)_[a-z_]+", rule["expr"]))
    assert named
    assert named <= set(series())
    labels = {label for name in named for label in series()[name]} | NO_LABELS_OF_OURS
    by = re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])
    matched = re.findall(r"[{,]\s*(\w+)(?:=~|!=|!~|=)", rule["expr"])
    assert {label.strip() for group in by for label in group.split(",")} | set(matched) <= labels
    assert rule["expr"].count("(") == rule["expr"].count(")")
    assert rule["labels"]["severity"] in ("critical", "warning")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in Page(page).anchors
    assert rule["annotations"]["summary"]


def test_every_alert_is_explained_and_no_other() -> None:
    assert [row[0].strip("`") for row in PAGE.table("Alerts")] == list(ALERTS)


def test_outcomes_in_alerts_are_codes() -> None:
    from penstock.schemas.errors import ErrorCode

    named = {code for rule in ALERTS.values() for code in re.findall(r"\b[A-Z]+_?[A-Z]+\b", rule["expr"])}
    assert named <= set(ErrorCode)


async def test_probes_ask_pages_that_are_served() -> None:
    server = HealthServer("127.0.0.1", 0, CollectorRegistry(), live=lambda: None, ready=lambda: None)
    server.start()
    try:
        text = "\n".join(block.text for block in PAGE.blocks("yaml")) + "\n".join(
            row[0] for row in PAGE.table("Health")
        )
        asked = set(re.findall(r"(?:path: |`)(/[a-z/]+)", text))
        assert asked == {"/health/live", "/health/ready", "/metrics"}
        for path in asked:
            assert (await fetch(f"http://127.0.0.1:{server.port}{path}"))[0] == 200
    finally:
        server.stop()


def test_pod_waits_long_enough_for_a_drain() -> None:
    pod, scrape = (yaml(block.text) for block in PAGE.blocks("yaml"))
    settings = dict(fields_of(ServiceSettings))
    waits_s = settings["worker.shutdown_timeout_s"].default + 15
    assert pod["spec"]["terminationGracePeriodSeconds"] == waits_s
    assert f"TimeoutStopSec={waits_s:g}" in PAGE.text
    assert f"-t {waits_s:g}" in PAGE.text
    port = settings["http.port"].default
    (container,) = pod["spec"]["containers"]
    assert {probe["httpGet"]["port"] for name, probe in container.items() if name.endswith("Probe")} == {port}
    assert scrape["scrape_configs"][0]["static_configs"][0]["targets"][0].endswith(f":{port}")


def rights() -> Iterator[tuple[str, str, str, list[str]]]:
    """What the commands of the page allow: user, kind of resource, its name, operations."""
    for block in PAGE.blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.startswith("kafka-acls.sh"):
                words = shlex.split(line)
                given = [(words[at], words[at + 1]) for at in range(len(words) - 1) if words[at].startswith("--")]
                (user,) = (value.removeprefix("User:") for name, value in given if name == "--allow-principal")
                operations = [value.lower() for name, value in given if name == "--operation"]
                for name, value in given:
                    if name in ("--topic", "--group"):
                        yield user, name.removeprefix("--"), value, operations


async def test_rights_of_the_page_are_enough(models: Path, tmp_path: Path) -> None:
    users = {user: f"{user}-password" for user, *_ in rights()}
    assert set(users) == {"penstock", "backend"}
    async with EmbeddedKafka(secure=True, users=users, heap_mb=256) as kafka:
        await create_topics(kafka.client_config(), {"requests": 2, "replies": 2, "requests-dlt": 1})
        for user, resource, name, operations in rights():
            await kafka.allow(user, resource, name, operations)
        lane = Lane(kafka.bootstrap_servers, "requests", "replies", "predictions")

        def log_in(user: str) -> dict[str, str]:
            return {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": user,
                "sasl_password": users[user],
            }

        environment = variables(lane, models, **{f"kafka__{key}": each for key, each in log_in("penstock").items()})
        async with WorkerProcess(tmp_path / "worker.log", environment) as worker:
            await worker.ready()
            backend: dict[str, Any] = {"bootstrap_servers": (lane.bootstrap,), **log_in("backend")}
            async with Client(kafka=KafkaSettings(**backend)) as client:
                answer = await client.predict("doubler", np.ones((1, 3), np.float32))
                assert answer["y"].tolist() == [[2.0, 2.0, 2.0]]
            await _ask_for_a_dead_letter(kafka, lane)
            assert not worker.logged("dead letters cannot be written; trying again")


async def _ask_for_a_dead_letter(kafka: EmbeddedKafka, lane: Lane) -> None:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    admin = kafka.client_config()
    async with AIOKafkaProducer(**admin) as producer:
        await producer.send_and_wait(lane.requests, b"{}", headers=[("reply_to", b"elsewhere")])
    consumer = AIOKafkaConsumer(lane.dead_letters, **admin, auto_offset_reset="earliest")
    async with consumer:
        dead = await consumer.getone()
    assert headers_of(dead)["penstock-reason"] == b"REPLY_FORBIDDEN"
