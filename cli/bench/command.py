"""`penstock bench`: how fast a running service answers, and how much it takes."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.options import BootstrapServers, Config, Json, Overrides, tool_settings


def bench(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its name; name@version pins a version.")],
    rate: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.01, max=1_000_000, help="Requests a second, whatever comes back; 100."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=100_000, help="In place of a rate: so many at once.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", min=0.1, max=604_800, help="How long to measure: 10, or 5 for a rate of a ramp."),
    ] = None,
    warm_up: Annotated[
        float | None, typer.Option(metavar="S", min=0, max=3600, help="Sent before and not measured: 2, in a ramp 1.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.05, max=3600, help="A request without a reply by then is lost.")
    ] = 10.0,
    objective: Annotated[
        list[str] | None,
        typer.Option(metavar="P=T", help="What is to hold: p99=50ms, p99.9=1s, max=2s or errors=1%; repeatable."),
    ] = None,
    ramp: Annotated[
        bool, typer.Option("--ramp", help="Raise the rate from --rate on until an objective breaks.")
    ] = False,
    factor: Annotated[
        float | None, typer.Option(metavar="F", min=1.01, max=100, help="From a rate of a ramp to the next: 2.")
    ] = None,
    step: Annotated[
        float | None, typer.Option(metavar="N", min=0.01, help="Add so much to a rate of a ramp instead.")
    ] = None,
    up_to: Annotated[float | None, typer.Option(metavar="N", min=0.01, help="The highest rate of a ramp.")] = None,
    halvings: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=10, help="Rates to try between the last that held and the first not: 3."),
    ] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="FILE", help="Rows to send: CSV, JSON, JSON lines, npy or npz.")
    ] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B,C", help="Columns of CSV to send, in this order.")] = None,
    skip_column: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column to leave out, such as the label; repeatable.")
    ] = None,
    by_column: Annotated[
        bool, typer.Option("--by-column", help="Each column of CSV is an input of its own, by its header.")
    ] = False,
    dtype: Annotated[str | None, typer.Option(help="Datatype of the numbers; by default what the model takes.")] = None,
    repository: Annotated[
        str | None, typer.Option(metavar="REPOSITORY", help="Make rows up for a model in it; by default the settings'.")
    ] = None,
    rows_per_request: Annotated[
        int, typer.Option(metavar="N", min=1, max=100_000, help="Rows that go into one request.")
    ] = 1,
    raw: Annotated[bool, typer.Option("--raw", help="Send raw tensors in place of JSON.")] = False,
    max_in_flight: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000_000, help="Unanswered requests at which it ends.")
    ] = 100_000,
    own_reply_topic: Annotated[
        bool,
        typer.Option(
            "--own-reply-topic", help="Have replies come to a topic of its own, REPLIES.bench-..., deleted at the end."
        ),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, too: .svg, .png or .pdf.", dir_okay=False)
    ] = None,
    json: Json = False,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    request_topic: Annotated[str | None, typer.Option(help="Topic the workers read.")] = None,
    reply_topic: Annotated[str | None, typer.Option(help="Topic the answers come to.")] = None,
    settings: Overrides = None,
) -> None:
    """Load a service, and measure how it answers.

    With --rate, latency counts from when a request should have left: a stall is not hidden by what it holds up.
    With --concurrency, each answer is followed by the next request. --ramp looks for the highest rate that holds.

    Rows come from a file, or are made up after the model's signature. Requests are real ones: whoever else reads
    the request topic or the reply topic sees them. After --timeout workers pass them over.

    The exit status is 1 where an objective broke or nothing was answered.

    \b
    Examples:
      penstock bench iris --rate 500 --seconds 30
      penstock bench iris --concurrency 64 --rows rows.npy --rows-per-request 50
      penstock bench iris --rate 1000 --objective p99=50ms --json
      penstock bench iris --ramp --objective p99=50ms --plot ramp.svg
    """
    from penstock.cli.bench.choice import Choice
    from penstock.cli.bench.start import start

    choice = Choice(
        model=model, rate=rate, concurrency=concurrency, seconds=seconds, warm_up_s=warm_up, timeout_s=timeout,
        objectives=tuple(objective or ()), ramp=ramp, factor=factor, step=step, up_to=up_to, halvings=halvings,
        rows=rows, columns=columns, skip=tuple(skip_column or ()), by_column=by_column, dtype=dtype,
        repository=repository, rows_per_request=rows_per_request, raw=raw, max_in_flight=max_in_flight,
        own_topic=own_reply_topic, plot=plot, json=json,
    )  # fmt: skip
    loaded = tool_settings(
        config, bootstrap_servers, settings, worker__request_topics=request_topic, worker__reply_topic=reply_topic
    )
    raise typer.Exit(start(choice, loaded, config, settings))
