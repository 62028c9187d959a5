"""`penstock predict`: ask a running service from the command line. Needs the light install alone."""

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.options import BootstrapServers, Config, Json, Overrides, tool_settings
from penstock.cli.predict.choice import CsvChoice, Format
from penstock.cli.stopping import run

if TYPE_CHECKING:
    from penstock.cli.predict.asking import Target
    from penstock.cli.predict.output import Printer
    from penstock.cli.predict.run import Job
    from penstock.consumer.settings import ToolSettings
    from penstock.schemas.datatypes import Datatype

_TIMEOUT_S: Final = 30.0


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its name; name@version pins a version.")],
    rows: Annotated[
        str | None, typer.Argument(metavar="INPUT", help="File of rows; - or nothing is standard input.")
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="Format of the rows; by default the file's name tells.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Columns of CSV to send, in this order; arrays of npz.")
    ] = None,
    skip_column: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column to leave out, such as the label; repeatable.")
    ] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The first line of CSV is a row too.")] = False,
    by_column: Annotated[
        bool, typer.Option("--by-column", help="Each column of CSV is an input of its own, by its header.")
    ] = False,
    dtype: Annotated[str | None, typer.Option(help="Datatype of the numbers; by default what the model takes.")] = None,
    version: Annotated[str | None, typer.Option(help="Version of the model; by default the one deployed.")] = None,
    key: Annotated[str | None, typer.Option(help="Key of the records: they are answered in order.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.001, max=31_536_000, help="How long to wait for an answer; 30 by default."
        ),
    ] = None,
    rows_per_request: Annotated[int, typer.Option(min=1, help="Rows that go into one request.")] = 1,
    max_in_flight: Annotated[int, typer.Option(min=1, help="Requests on their way at once.")] = 1000,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Publish the requests and end; others read the replies.")
    ] = False,
    json: Json = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON document for each row.")] = False,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    request_topic: Annotated[str | None, typer.Option(help="Topic the workers read.")] = None,
    reply_topic: Annotated[str | None, typer.Option(help="Topic the answers come to.")] = None,
    settings: Overrides = None,
) -> None:
    """Ask a service: rows in, predictions out.

    Rows come from CSV, JSON, JSON lines, or numpy's npy and npz. In JSON, [1, 2, 3] is a row, [[1, 2], [3, 4]] are
    rows, {"age": [[34], [51]]} are rows by input; a whole Open Inference Protocol request is sent as it is.

    The answers stand in the order of the rows. The exit status is 1 if one failed. With --no-wait nobody waits: the
    replies go to the service's own reply topic, or to --reply-topic.

    \b
    Examples:
      echo '[5.1, 3.5, 1.4, 0.2]' | penstock predict iris
      penstock predict iris flowers.csv --skip-column species
      penstock predict iris rows.npy --rows-per-request 100 --json
      penstock predict iris big.csv --no-wait
    """
    from penstock.cli.predict.numbers import Datatypes
    from penstock.cli.predict.progress import LateBar
    from penstock.cli.predict.requests import Requests
    from penstock.cli.predict.run import Job
    from penstock.cli.predict.source import open_source

    if json and jsonl:
        raise typer.BadParameter("one of them is enough", param_hint="--json, --jsonl")
    loaded = tool_settings(
        config, bootstrap_servers, settings, worker__request_topics=request_topic, worker__reply_topic=reply_topic
    )
    target = _target(model, version, key, timeout)
    picked = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
    choice = CsvChoice(picked, tuple(skip_column or ()), False if no_header else None, by_column)
    datatypes = Datatypes(_datatype(dtype), guess="FP64" if no_wait else "FP32")
    source = open_source(rows, form, choice)
    requests = Requests(source, rows_per_request, datatypes)
    first = requests.first()  # before anything else: what is wrong with it needs no broker
    bar = LateBar(f"{'sending to' if no_wait else 'asking'} {target.model}", source)
    job = Job(first, requests, target, max_in_flight, bar)
    if no_wait:
        _send(loaded, job, reply_topic, timeout, json or jsonl)
    else:
        _ask(loaded, job, "json" if json else "jsonl" if jsonl else "table")
    if requests.fault is not None:
        raise requests.fault


def _target(model: str, version: str | None, key: str | None, timeout: float | None) -> "Target":
    from penstock.cli.predict.asking import Target

    name, _, pinned = model.partition("@")
    if pinned and version:
        raise typer.BadParameter(f"{model} names a version already", param_hint="--version")
    return Target(name, version or pinned or None, key, timeout or _TIMEOUT_S)


def _datatype(given: str | None) -> "Datatype | None":
    from penstock.cli.predict.numbers import datatype_named

    try:
        return None if given is None else datatype_named(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--dtype") from None


def _ask(settings: "ToolSettings", job: "Job", form: str) -> None:
    from penstock.cli.predict.conclusion import conclude
    from penstock.cli.predict.run import ask_all
    from penstock.producer.exchange import Exchange

    exchange = Exchange(
        settings.kafka,
        request_topic=settings.worker.request_topics[0],
        reply_topic=settings.worker.reply_topic,
        reply_partition=None,
        max_in_flight=job.max_in_flight,
    )
    asked = run(ask_all(exchange, job, _printer(form, job)))
    conclude(asked, job, people=form == "table")


def _printer(form: str, job: "Job") -> "Printer":
    from penstock.cli.predict.output import JsonLines, JsonList
    from penstock.cli.predict.table import OnceIfAlike, RowTable

    if form == "json":
        return JsonList(sys.stdout, job.bar.make_way)
    if form == "jsonl":
        return JsonLines(sys.stdout, job.bar.make_way, live=job.requests.source.live)
    return OnceIfAlike(RowTable(sys.stdout, job.bar.make_way))


def _send(settings: "ToolSettings", job: "Job", reply_topic: str | None, expires_s: float | None, json: bool) -> None:
    from penstock.cli.predict.conclusion import conclude_sending
    from penstock.cli.predict.run import Published, send_all
    from penstock.producer.sender import RequestSender

    topic, timeout_s = settings.worker.request_topics[0], job.target.limit_s
    sender = RequestSender(settings.kafka, topic, reply_topic, max_in_flight=job.max_in_flight, timeout_s=timeout_s)
    published = Published()
    try:
        run(send_all(sender, job, expires_s, published))
    finally:  # also of what was stopped: so much is there
        conclude_sending(published, job, topic, json=json)
