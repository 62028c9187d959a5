"""What the orders of `Control` give back, and how they fail."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from penstock.schemas.control.command import Command
from penstock.schemas.control.resources import Resource
from penstock.schemas.control.specs import Spec
from penstock.schemas.control.state import Entry
from penstock.schemas.errors import PenstockError

AckKind = Literal["applied", "refused", "failed", "pending", "silent"]


@dataclass(frozen=True, slots=True)
class Change:
    """What an order makes of its resource, as a dry run gives it.

        change = await control.deploy("iris", "4", dry_run=True)
        print(change.before, "->", change.after)
        await control.deploy("iris", "4", expect=change.seen)

    Attributes:
        resource: what it is about.
        before: what is wanted of it now; None where nothing is.
        after: what will be wanted of it; None where it is removed.
        seen: offset of the last command accepted for the resource, -1 where there is none: for `expect`.
        offset, command: those of `Issued`; None for a dry run.
    """

    resource: Resource
    before: Spec | None
    after: Spec | None
    seen: int = -1
    offset: int | None = None
    command: Command | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued(Change):
    """An order that stands in the control topic, and was accepted.

        issued = await control.deploy("iris", "4")
        print(issued.resource, issued.offset)

    Attributes:
        offset: its place: the control epoch from which on it holds.
        command: as it was written.
    """

    offset: int
    command: Command


@dataclass(frozen=True, slots=True)
class Ack:
    """What became of a command on one worker.

        for ack in await control.wait(issued, timeout_s=30.0):
            print(ack.worker, ack.kind, ack.reason)

    Attributes:
        worker: its client id.
        kind: applied; refused, which changes nothing anywhere; failed, where what served before goes on; pending, which
            has not come so far yet; silent, a member of the group that says nothing.
        reason: why, where it is refused or failed.
    """

    worker: str
    kind: AckKind
    reason: str = ""

    @property
    def settled(self) -> bool:
        """Whether it is the worker's last word about the command."""
        return self.kind in ("applied", "refused", "failed")


class CannotChange(PenstockError):
    """An order that makes no sense of what is wanted now, as to promote where there is no canary. Nothing was changed.

    try:
        await control.promote("iris")
    except CannotChange as error:
        print(error)
    """


class Conflict(PenstockError):
    """Somebody else was quicker: the resource is not what it was when the order was made. Nothing was changed by it.

        except Conflict as error:
            print(error.by.issuer, error.by.offset)

    Attributes:
        resource: what it is about.
        by: the command that was accepted meanwhile; None where there is none any more.
    """

    def __init__(self, resource: Resource, by: Entry | None) -> None:
        self.resource = resource
        self.by = by
        if by is None:
            who = "nothing is asked of it"
        else:
            when = datetime.fromtimestamp(by.time_ms / 1000, UTC).isoformat(" ", "seconds")
            why = f": {by.reason}" if by.reason else ""
            who = f"{by.issuer} has changed it at {when} (offset {by.offset}{why})"
        super().__init__(f"{resource} is not what it was: {who}.\nLook at what is asked of it now, then ask again.")
