"""A command from its making to the word of every worker: what `deploy` and its like have in common."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.cli.control.session import Session
from penstock.cli.control.unknown import unknown
from penstock.cli.stopping import run
from penstock.cli.terminal import print_json, printable, say
from penstock.schemas.errors import PenstockError

if TYPE_CHECKING:
    from penstock.producer.control.control import Control
    from penstock.producer.control.results import Ack, Change, Issued

Order = Callable[["Control"], Awaitable["Change"]]


@dataclass(frozen=True, slots=True)
class How:
    """How a command is carried out.

    Attributes:
        wait: for the workers.
        timeout_s: for each step, and for all of the workers together.
        json: print a document for programs.
    """

    wait: bool
    timeout_s: float
    json: bool


def carry_out(session: Session, order: Order, how: How) -> None:
    """Give an order, or try it, and say what it does, what became of it, and on which workers.

    Args:
        session: the service.
        order: gives it; a plain `Change` is that of a dry run.
        how: with or without waiting.

    Raises:
        NotFollowed: not every worker did it.
        PenstockError: it was refused, somebody was quicker, or Kafka cannot be used.
    """
    run(_carry_out(session, order, how))


async def _carry_out(session: Session, order: Order, how: How) -> None:
    from penstock.cli.control.outcome import done, intention, refusal
    from penstock.producer.control.results import Issued
    from penstock.schemas.control.refusals import CommandRefused

    async with session.control(how.timeout_s) as control:
        try:
            change = await order(control)
        except CommandRefused as refused:
            raise refusal(refused, session.own) from None
        if not isinstance(change, Issued):
            _print(how, [*intention(change), "Nothing was sent: this was a dry run."])
            await _follow_up(session, control, change, how)
            return
        _print(how, [done(change)])
        try:
            await _follow_up(session, control, change, how)
        except asyncio.CancelledError:
            say(f"The command stands, whoever has done it so far. See: {session.own.command('status')}")
            raise


async def _follow_up(session: Session, control: "Control", change: "Change", how: How) -> None:
    from penstock.cli.control.outcome import document
    from penstock.producer.control.results import Issued

    try:
        statuses = await control.status()
    except PenstockError:  # a warning is not worth a failure
        statuses = []
    for warning in unknown(change, statuses, session.settings.worker.request_topics):
        say(warning)
    if isinstance(change, Issued) and how.wait:
        await _wait(session, control, change, how)
    elif how.json:
        print_json(document(change))


async def _wait(session: Session, control: "Control", issued: "Issued", how: How) -> None:
    from penstock.cli.control.outcome import ack_line, conclusion, document

    began = time.monotonic()

    def tell(ack: "Ack") -> None:
        if ack.settled:
            _print(how, [ack_line(ack)])

    acks = await control.wait(issued, how.timeout_s, tell)
    if how.json:
        print_json(document(issued, acks))
    _print(how, [ack_line(ack) for ack in acks if not ack.settled])
    _print(how, [conclusion(issued, acks, session.group, time.monotonic() - began, session.own)])


def _print(how: How, lines: Sequence[str]) -> None:
    if not how.json:
        for line in lines:
            print(printable(line), flush=True)
