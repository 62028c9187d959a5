"""Runs every check, side by side where they do not need each other."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from penstock.cli.doctor.clocks import Clock, judge_clocks
from penstock.cli.doctor.finding import ACCESS, GROUP, KAFKA, MODELS, SECTIONS, TOPICS, Finding
from penstock.cli.doctor.kafka_examination import WATCH_S, KafkaExamination, Watching
from penstock.cli.doctor.limits import look_at_machine
from penstock.cli.doctor.machine import Load, judge_machine
from penstock.cli.doctor.model_loading import load_models
from penstock.cli.doctor.models import judge_models
from penstock.cli.doctor.pages import look_at_workers
from penstock.cli.doctor.settings import judge_settings
from penstock.cli.doctor.versions import judge_versions, look_at_versions, wanted_versions
from penstock.cli.doctor.workers import Page, judge_workers
from penstock.cli.readable import Readable
from penstock.cli.remedies import Own

_HTTP_ERROR_S = 1.0  # a Date header has no fractions


async def examine(
    readable: Readable,
    own: Own,
    *,
    timeout_s: float,
    watching: Watching,
    watch_s: float = WATCH_S,
    wall_clock: Callable[[], float] = time.time,
) -> list[Finding]:
    """Examine a service.

    Args:
        readable: its settings.
        own: the options of the command line, for remedies.
        timeout_s: bound on each call, and on loading the models.
        watching: opens a display of how far the watch of the group is.
        watch_s: how long requests may wait without moving until they count as stuck.
        wall_clock: seconds since the epoch, by our clock.

    Returns:
        The findings, by section in the order of `SECTIONS`.
    """
    kafka = KafkaExamination(readable, own, timeout_s, watching, watch_s, wall_clock)
    on_kafka, models, pages = await asyncio.gather(
        _kafka_skipped() if readable.kafka_faulty else kafka.run(),
        _models(readable, own, timeout_s),
        look_at_workers(readable.http, readable.worker.processes, timeout_s=timeout_s, wall_clock=wall_clock),
    )
    found = [
        *judge_settings(readable),
        *on_kafka,
        *_worker_clocks(pages),
        *models,
        *judge_machine(look_at_machine(), _load(readable)),
        *judge_versions(look_at_versions(), wanted_versions()),
        *judge_workers(pages, readable.http, kafka.members, own.command("worker"), readable.group_id),
    ]
    order = [section.name for section in SECTIONS]
    return sorted(found, key=lambda finding: order.index(finding.section))


async def _kafka_skipped() -> list[Finding]:
    """Examine nothing: with settings that are faulty, it would be some other cluster than the one that is meant."""
    checks = ((KAFKA, "address"), (TOPICS, "topics"), (ACCESS, "rights"), (GROUP, "group"))
    return [section.skipped(check, "the kafka settings are faulty") for section, check in checks]


async def _models(readable: Readable, own: Own, timeout_s: float) -> list[Finding]:
    if readable.models is None:
        return [MODELS.skipped("models", "models.repository is not set")]
    if "onnxruntime" not in look_at_versions():
        return [MODELS.skipped("models", "the worker extra is not installed, so none was loaded")]
    seen = await load_models(readable.models, timeout_s=timeout_s)
    return judge_models(seen, readable.models, Own(own.config).command("model", "verify"))


def _worker_clocks(pages: list[Page]) -> list[Finding]:
    clocks = [
        Clock(f"the worker at {page.address}", page.clock_ahead_s, _HTTP_ERROR_S)
        for page in pages
        if page.clock_ahead_s is not None
    ]
    # They run on this machine as a rule: what is well is not worth a line for each.
    return [finding for finding in judge_clocks(clocks) if finding.level != "ok"]


def _load(readable: Readable) -> Load:
    models = readable.models
    folder = models.repository if models is not None else None
    python = isinstance(folder, Path) and any(folder.glob("*/*/model.py"))  # of a URL nobody knows yet
    return Load(
        readable.worker.processes,
        models.intra_op_threads if models else 1,
        readable.worker.max_buffered_bytes,
        python,
    )
