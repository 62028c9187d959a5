"""`penstock worker`: serve."""

import asyncio
import sys
from typing import Annotated

import typer

from penstock.cli.options import BootstrapServers, Config, Overrides, config_file, service_settings


def worker(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    request_topics: Annotated[str | None, typer.Option(help="Topics to read, comma-separated.")] = None,
    reply_topic: Annotated[str | None, typer.Option(help="Topic of the replies.")] = None,
    group_id: Annotated[str | None, typer.Option(help="Consumer group that shares the work.")] = None,
    repository: Annotated[
        str | None, typer.Option(help="Models: a folder with <model>/<version>/model.onnx, or a URL.")
    ] = None,
    default_model: Annotated[str | None, typer.Option(help="Model of a request that names none.")] = None,
    processes: Annotated[int | None, typer.Option(help="Worker processes; one for each core to use.")] = None,
    http_port: Annotated[
        int | None, typer.Option(help="Port of health and metrics; each process adds its number.")
    ] = None,
    settings: Overrides = None,
    child: Annotated[int | None, typer.Option(hidden=True)] = None,
    client_id: Annotated[str | None, typer.Option(hidden=True)] = None,
    journal: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve: read requests, run models, write replies.

    Every setting can also be an environment variable, PENSTOCK_<SECTION>__<NAME>, such as
    PENSTOCK_KAFKA__BOOTSTRAP_SERVERS, or stand in the TOML file. The command line wins, then the environment.
    `penstock config show` prints what holds, and where it comes from.

    The first Ctrl-C or SIGTERM answers what was taken in and stops; a second one stops at once.

    \b
    Examples:
      penstock worker
      penstock worker --group-id mine --repository models --processes 2
      penstock worker -c production.toml --set batching.max_delay_s=0.005
    """
    import structlog

    from penstock.consumer import logs
    from penstock.consumer.service import Service
    from penstock.consumer.supervisor import Supervisor
    from penstock.schemas.errors import PenstockError

    loaded = service_settings(
        config,
        bootstrap_servers,
        settings,
        worker__request_topics=request_topics,
        worker__reply_topic=reply_topic,
        worker__group_id=group_id,
        worker__processes=processes,
        models__repository=repository,
        models__default=default_model,
        http__port=http_port,
    )
    context = {} if child is None else {"process": child}
    logs.configure(loaded.log.level, loaded.log.format, **context)
    if child is None and (file := config_file(config)) is not None:
        structlog.get_logger(__name__).info("settings file", path=str(file))
    if loaded.worker.processes > 1 and child is None:
        # Children get the same command line; what the supervisor adds to it is read last.
        command = ["-m", "penstock.cli.main", *sys.argv[1:]]
        raise typer.Exit(asyncio.run(Supervisor(loaded, command).run()))
    service_of = Service(
        loaded, client_id=client_id, port_offset=child or 0, supervised=child is not None, journal=journal
    )
    try:
        asyncio.run(service_of.run())
    except PenstockError:
        raise
    except Exception:
        structlog.get_logger(__name__).exception("the worker failed")
        raise typer.Exit(1) from None
