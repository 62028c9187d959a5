"""`penstock worker`: serve."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer


def worker(  # noqa: PLR0917 - typer makes options of them, never positional
    config: Annotated[
        Path | None, typer.Option(help="TOML file with settings; PENSTOCK_CONFIG names one too.", dir_okay=False)
    ] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka, as host:port,host:port.")] = None,
    request_topics: Annotated[str | None, typer.Option(help="Topics to read, comma-separated.")] = None,
    reply_topic: Annotated[str | None, typer.Option(help="Topic of the replies.")] = None,
    group_id: Annotated[str | None, typer.Option(help="Consumer group that shares the work.")] = None,
    repository: Annotated[str | None, typer.Option(help="Folder of models: <model>/<version>/model.onnx.")] = None,
    default_model: Annotated[str | None, typer.Option(help="Model of a request that names none.")] = None,
    processes: Annotated[int | None, typer.Option(help="Worker processes; one for each core to use.")] = None,
    http_port: Annotated[
        int | None, typer.Option(help="Port of health and metrics; each process adds its number.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Any other setting; repeatable.")
    ] = None,
    child: Annotated[int | None, typer.Option(hidden=True)] = None,
    client_id: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve: read requests, run models, write replies.

    Every setting can also be an environment variable, PENSTOCK_<SECTION>__<NAME>, such as
    PENSTOCK_KAFKA__BOOTSTRAP_SERVERS, or stand in the TOML file. The command line wins, then the environment.

    The first Ctrl-C or SIGTERM answers what was taken in and stops; a second one stops at once.
    """
    import structlog

    from penstock.consumer import logs
    from penstock.consumer.service import Service
    from penstock.consumer.settings import ServiceSettings
    from penstock.consumer.supervisor import Supervisor
    from penstock.core.configuration import load
    from penstock.schemas.errors import PenstockError

    overrides: dict[str, object] = {
        "kafka.bootstrap_servers": bootstrap_servers,
        "worker.request_topics": request_topics,
        "worker.reply_topic": reply_topic,
        "worker.group_id": group_id,
        "worker.processes": processes,
        "models.repository": repository,
        "models.default": default_model,
        "http.port": http_port,
        **_parsed(settings or []),
    }
    loaded = load(ServiceSettings, file=config, overrides=overrides)
    context = {} if child is None else {"process": child}
    logs.configure(loaded.log.level, loaded.log.format, **context)
    if loaded.worker.processes > 1 and child is None:
        # Children get the same command line; what the supervisor adds to it is read last.
        command = ["-m", "penstock.cli.main", *sys.argv[1:]]
        raise typer.Exit(asyncio.run(Supervisor(loaded, command).run()))
    service_of = Service(loaded, client_id=client_id, port_offset=child or 0, supervised=child is not None)
    try:
        asyncio.run(service_of.run())
    except PenstockError:
        raise
    except Exception:
        structlog.get_logger(__name__).exception("the worker failed")
        raise typer.Exit(1) from None


def _parsed(pairs: list[str]) -> dict[str, object]:
    parsed: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair!r} is not SECTION.NAME=VALUE", param_hint="--set")
        parsed[name.strip()] = value
    return parsed
