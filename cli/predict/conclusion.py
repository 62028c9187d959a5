"""What is said at the end of `penstock predict`."""

import typer

from penstock.cli.figures import counted
from penstock.cli.predict.answers import Failure
from penstock.cli.predict.failures import remedy
from penstock.cli.predict.run import Asked, Job, Published
from penstock.cli.terminal import print_json, print_table, say
from penstock.schemas.errors import PenstockError, TransportError


class PredictionsFailed(PenstockError):
    """Every row failed, all for one reason."""


def conclude(asked: Asked, job: Job, *, people: bool) -> None:
    """Say what came of asking: the counts, and what to do about failures.

    Raises:
        PenstockError: every row failed for one reason.
        typer.Exit: some failed, and reading came to its end.
    """
    failures, summary, fault = asked.failures, asked.summary, job.requests.fault
    worst = failures.most_frequent()
    advice = remedy(worst, job.target.model, job.requests.source) if worst is not None else ""
    if worst is not None and summary.answered == 0 and failures.alike:
        cause = str(asked.error) if isinstance(asked.error, TransportError) else str(worst)
        more = "No other row was sent. " if job.requests.any_left() else ""
        and_fault = f"\n{fault.format_message()}" if fault is not None else ""
        raise PredictionsFailed(f"{cause}\n{more}{advice}".rstrip() + and_fault)
    if people:
        say(str(summary))
    if worst is not None and advice:
        say(f"{worst.code}: {advice}")
    if worst is not None and fault is None:
        raise typer.Exit(1)


def conclude_sending(published: Published, job: Job, topic: str, *, json: bool) -> None:
    """Say where the requests lie, and what to do about those that Kafka refused.

    Raises:
        PenstockError: Kafka refused some.
    """
    if published.requests and json:
        print_json(published.document(topic))
    elif published.requests:
        places = [
            (partition, count, f"{first} to {last}" if first >= 0 else "unknown")
            for partition, (count, first, last) in sorted(published.places.items())
        ]
        print_table(("partition", "requests", "offsets"), places, right=("partition", "requests"))
        sent = f"{counted(published.requests, 'request')} with {counted(published.rows, 'row')}"
        say(f"{sent} {'lies' if published.requests == 1 else 'lie'} on topic {topic}; nobody waits for the replies.")
    if published.error is not None:
        advice = remedy(Failure.of(published.error), job.target.model, job.requests.source)
        raise PredictionsFailed(f"{published.refused} of the requests: {published.error}\n{advice}".rstrip())
