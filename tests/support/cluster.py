"""The cluster that the integration tests talk to.

By default an embedded broker, of the version that `PENSTOCK_TEST_KAFKA` names. `PENSTOCK_TEST_BOOTSTRAP=host:port`
takes a cluster that is already there, and `PENSTOCK_TEST_BROKER=docker` a container.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from penstock.broker import DEFAULT_VERSION, EmbeddedKafka

BOOTSTRAP_VARIABLE = "PENSTOCK_TEST_BOOTSTRAP"
BROKER_VARIABLE = "PENSTOCK_TEST_BROKER"
VERSION_VARIABLE = "PENSTOCK_TEST_KAFKA"
_IMAGE = "apache/kafka:4.1.0"


def foreign() -> str | None:
    """Why tests must not stop the broker, or None: it is ours."""
    if os.environ.get(BOOTSTRAP_VARIABLE):
        return f"{BOOTSTRAP_VARIABLE} gives a cluster that is not ours to stop"
    if _kind() != "embedded":
        return f"{BROKER_VARIABLE} gives a cluster that cannot be stopped and started again on its port"
    return None


def version() -> str:
    """The version of the embedded broker."""
    return os.environ.get(VERSION_VARIABLE) or DEFAULT_VERSION


def _kind() -> str:
    return os.environ.get(BROKER_VARIABLE) or "embedded"


@asynccontextmanager
async def cluster() -> AsyncIterator[str]:
    """Give the addresses of a running cluster, host:port."""
    given = os.environ.get(BOOTSTRAP_VARIABLE)
    if given:
        yield given
    elif _kind() == "docker":
        container = await asyncio.to_thread(_start_container)
        try:
            yield container.get_bootstrap_server()
        finally:
            await asyncio.to_thread(container.stop)
    elif _kind() == "embedded":
        async with EmbeddedKafka(heap_mb=384, version=version()) as kafka:
            yield kafka.bootstrap_servers
    else:
        raise RuntimeError(f"{BROKER_VARIABLE} is {_kind()!r}: it may be embedded or docker")


def _start_container():
    from docker.errors import DockerException  # type: ignore[import-untyped]

    # Importing it makes no connection; its first client does.
    from tests.support.container import ApacheKafkaContainer

    try:
        return ApacheKafkaContainer(_IMAGE).start(timeout=90)
    except DockerException as error:
        raise RuntimeError(
            f"{BROKER_VARIABLE}=docker needs a Docker that answers (is it running, is DOCKER_HOST right?): {error}"
        ) from None
