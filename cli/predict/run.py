"""The two ways of `penstock predict`: ask and print the answers, or send and print where the requests lie."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from penstock.cli.predict.answers import rows_of
from penstock.cli.predict.asking import Target, ask
from penstock.cli.predict.failures import Failures
from penstock.cli.predict.numbers import encode
from penstock.cli.predict.output import Printer, Summary
from penstock.cli.predict.progress import LateBar
from penstock.cli.predict.requests import Requests
from penstock.cli.predict.rows import Block
from penstock.producer.exchange import Exchange
from penstock.producer.prediction import Prediction
from penstock.producer.requests import request_headers
from penstock.producer.sender import RequestSender, Sent
from penstock.schemas.errors import PenstockError, TransportError


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done.

    Attributes:
        first: the first block, which has been read already.
        requests: makes the others.
        target: what every request wants.
        max_in_flight: requests on their way at once.
        bar: shows how far it is.
    """

    first: Block
    requests: Requests
    target: Target
    max_in_flight: int
    bar: LateBar


@dataclass(slots=True)
class Asked:
    """What came of asking.

    Attributes:
        summary: counts and times.
        failures: of rows.
        error: the first error, as it was raised.
    """

    summary: Summary = field(default_factory=Summary)
    failures: Failures = field(default_factory=Failures)
    error: PenstockError | None = None


async def ask_all(exchange: Exchange, job: Job, printer: Printer) -> Asked:
    """Ask for every row and print what comes.

    Raises:
        TransportError: Kafka cannot be reached, or a topic does not exist.
    """
    asked, number = Asked(), 1
    await exchange.start()
    try:
        asking = ask(exchange, job.first, job.requests, job.target, job.max_in_flight)
        async with job.bar, aclosing(asking) as answers:
            async for answer in answers:
                if isinstance(answer.outcome, Prediction):
                    asked.summary.took(answer.took_s)
                else:
                    asked.error = asked.error or answer.outcome
                for row in rows_of(answer, number):
                    printer.add(row)
                    asked.summary.add(row)
                    if row.failure is not None:
                        asked.failures.add(row.failure, row.rows)
                number += len(answer.block)
                job.bar.advance(len(answer.block))
        printer.end()
    except OSError:  # the output is closed or full
        raise
    except BaseException:
        printer.end()  # what was answered before it was stopped
        raise
    finally:
        await exchange.close()
    return asked


@dataclass(slots=True)
class Published:
    """Where requests lie.

    Attributes:
        requests, rows: how many Kafka has.
        places: partition -> how many requests, the first and the last offset.
        refused: how many Kafka did not take.
        error: why it did not take the first of them.
    """

    requests: int = 0
    rows: int = 0
    places: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    refused: int = 0
    error: PenstockError | None = None

    def of(self, rows: int) -> "Callable[[asyncio.Future[Sent]], None]":
        """Return what counts a request of so many rows once its fate is known."""

        def settle(future: "asyncio.Future[Sent]") -> None:
            try:
                sent = future.result()
            except (PenstockError, asyncio.CancelledError) as error:
                self.refused += 1
                self.error = self.error or (error if isinstance(error, PenstockError) else None)
                return
            count, first, last = self.places.get(sent.partition, (0, sent.offset, sent.offset))
            self.places[sent.partition] = count + 1, min(first, sent.offset), max(last, sent.offset)
            self.requests += 1
            self.rows += rows

        return settle

    def document(self, topic: str) -> dict[str, Any]:
        """Return it as JSON has it."""
        places = [
            {"partition": partition, "requests": count, "first_offset": first, "last_offset": last}
            for partition, (count, first, last) in sorted(self.places.items())
        ]
        return {
            "topic": topic,
            "requests": self.requests,
            "rows": self.rows,
            "refused": self.refused,
            "partitions": places,
        }


async def send_all(sender: RequestSender, job: Job, expires_s: float | None, published: Published) -> None:
    """Publish every row and wait until Kafka has them all; `published` counts.

    Raises:
        TransportError: Kafka cannot be reached, does not acknowledge in time, or has not the topic.
    """
    target, requests = job.target, job.requests
    headers = request_headers(target.model, target.version, None, expires_s)

    async def send(block: Block, value: bytes) -> None:
        future = await sender.submit(value, headers, target.key)
        future.add_done_callback(published.of(len(block)))
        job.bar.advance(len(block))

    late: TransportError | None = None
    async with sender, job.bar:
        await send(job.first, encode(requests.source, job.first, requests.datatypes))
        async for block, value in requests.rest():
            await send(block, value)
        try:
            await sender.flush()
        except TransportError as error:
            late = error
    await asyncio.sleep(0)  # the last callbacks have their turn
    # What is acknowledged after the deadline, while the sender closes, lies there all the same.
    if late is not None and published.error is not None:
        raise late
