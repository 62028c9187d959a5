"""`penstock doctor`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penstock.cli.options import BootstrapServers, Config, Json, Overrides
from penstock.cli.stopping import run
from penstock.cli.terminal import out, print_json, progress

if TYPE_CHECKING:
    from penstock.cli.doctor.finding import Finding
    from penstock.cli.readable import Readable
    from penstock.cli.remedies import Own

_TIMEOUT_S: Final = 10.0


def doctor(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    settings: Overrides = None,
    timeout: Annotated[float, typer.Option(min=0.5, max=600, help="Seconds that one check may take.")] = _TIMEOUT_S,
    json: Json = False,
) -> None:
    """Find out what keeps a service from serving.

    Looks at the settings, Kafka, topics, rights, the consumer group, models, this machine and its workers, and
    changes nothing. For what is not well it says why that matters, and what mends it.

    Exit status 1 if something keeps the service from serving, 0 with warnings only.

    \b
    Examples:
      penstock doctor
      penstock doctor -b kafka-1:9092,kafka-2:9092
      penstock doctor --json | jq '.findings[] | select(.level == "fault")'
    """
    from penstock.cli.doctor.report import as_json, print_report, worst
    from penstock.cli.readable import read_settings
    from penstock.cli.remedies import Own

    readable = read_settings(config, bootstrap_servers, settings)
    found = _examined(readable, Own(config, bootstrap_servers, tuple(settings or ())), timeout)
    if json:
        print_json(as_json(found))
    else:
        print_report(found, out())
    raise typer.Exit(1 if worst(found) == "fault" else 0)


def _examined(readable: "Readable", own: "Own", timeout_s: float) -> "list[Finding]":
    """Examine, and show on a terminal how far that is."""
    from penstock.cli.doctor.examination import examine

    with ExitStack() as shown:
        shown.enter_context(progress("looking at Kafka, models and workers"))

        @contextmanager
        def watching(what: str, total_s: float) -> Iterator[Callable[[float], None]]:
            shown.close()  # one display at a time
            with progress(what, total_s) as moved:
                yield moved

        return run(examine(readable, own, timeout_s=timeout_s, watching=watching))
