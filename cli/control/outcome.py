"""What became of a command on the workers, in words, and whether all of them followed. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from penstock.cli.control.wording import comparison, phrase
from penstock.cli.figures import counted
from penstock.cli.remedies import Own
from penstock.producer.control.results import Ack, Change, Issued
from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.resources import Kind
from penstock.schemas.control.specs import Lane, Spec
from penstock.schemas.errors import PenstockError

_NAMED: Final = 5  # workers that one line names
_REMEDIES: Final = {
    RefusalCode.UNKNOWN_KEY: "Its public half belongs into control.trusted_keys, or into the log: penstock keys trust.",
    RefusalCode.BAD_SIGNATURE: "Is control.key the file that belongs to the public half in control.trusted_keys?",
    RefusalCode.OUT_OF_SCOPE: "Who may, is in: {keys}",
    RefusalCode.EXPIRED: "Is the clock of this machine right? Kafka's own decides: penstock doctor",
}


class NotFollowed(PenstockError):
    """A command that stands, and that not every worker follows."""


class NothingChanged(PenstockError):
    """A command that was refused, with what to do."""


def refusal(refused: CommandRefused, own: Own) -> NothingChanged:
    """Return a refusal as a person is told it."""
    remedy = _REMEDIES.get(refused.code, "").format(keys=own.command("keys", "list"))
    return NothingChanged(f"refused, and nothing is changed: {refused}" + (f"\n{remedy}" if remedy else ""))


def intention(change: Change) -> list[str]:
    """Return the lines of a dry run."""
    if change.before == change.after:
        return [f"{change.resource} is like that already: {phrase(change.resource, change.after)}."]
    return [f"{change.resource} would change:", *comparison(change.resource, change.before, change.after)]


def done(issued: Issued) -> str:
    """Return what was asked for, on one line."""
    about = issued.resource
    was = f"as before: {phrase(about, issued.after)}"
    if issued.before != issued.after:
        was = f"{phrase(about, issued.after)} (before: {phrase(about, issued.before)})"
    return f"{about} at offset {issued.offset}: {was}"


def ack_line(ack: Ack) -> str:
    """Return what one worker says."""
    return f"  {ack.worker}  {ack.kind}" + (f": {ack.reason}" if ack.reason else "")


def conclusion(issued: Issued, acks: Sequence[Ack], group: str, waited_s: float, own: Own) -> str:
    """Return the last line where every worker has followed.

    Raises:
        NotFollowed: one has not; the text says which, and what to do.
    """
    if not acks:
        return f"Nobody is in the group {group} now; whoever joins it does as asked."
    applied = sum(ack.kind == "applied" for ack in acks)
    if applied == len(acks):
        did = "The worker did it." if applied == 1 else f"All {applied} workers did it."
        begun = isinstance(issued.after, Lane) and issued.after.state == "draining"
        return f"{did} They serve what is there, and then pause: {own.command('status')}" if begun else did
    refused = [ack for ack in acks if ack.kind == "refused"]
    if refused:
        raise NotFollowed(
            f"{_who(refused)} refused it, though it was accepted here: {refused[0].reason}\n"
            f"Do they trust the same keys (control.trusted_keys, control.signing)? See: {own.command('status')}"
        )
    failed = [ack for ack in acks if ack.kind == "failed"]
    if failed:
        remedy = f"Take it back: {own.command('rollback', issued.resource.name)}"
        raise NotFollowed(
            f"{len(failed)} of {counted(len(acks), 'worker')} could not do it; there what was before goes on.\n"
            + (remedy if issued.resource.kind is Kind.DEPLOYMENT else f"See: {own.command('status')}")
        )
    raise NotFollowed(
        f"after {waited_s:.1f} s {_lacking(acks)}. The command stands, and whoever can still does it.\n"
        f"See: {own.command('status')}"
    )


def document(change: Change, acks: Sequence[Ack] | None = None) -> dict[str, Any]:
    """Return a change, and what became of it, for programs."""
    found: dict[str, Any] = {
        "resource": str(change.resource),
        "before": _plain(change.before),
        "after": _plain(change.after),
        "dry_run": not isinstance(change, Issued),
    }
    if isinstance(change, Issued):
        found |= {"offset": change.offset, "id": change.command.id}
    if acks is not None:
        found["workers"] = [{"worker": ack.worker, "state": ack.kind, "reason": ack.reason or None} for ack in acks]
    return found


def _plain(spec: Spec | None) -> dict[str, Any] | None:
    return None if spec is None else spec.model_dump(mode="json")


def _lacking(acks: Sequence[Ack]) -> str:
    silent = [ack for ack in acks if ack.kind == "silent"]
    pending = [ack for ack in acks if ack.kind == "pending"]
    parts = [f"{_who(pending)} had not done it"] if pending else []
    parts += [f"{_who(silent)} had said nothing"] if silent else []
    return " and ".join(parts)


def _who(acks: Sequence[Ack]) -> str:
    names = ", ".join(ack.worker for ack in acks[:_NAMED])
    return names if len(acks) <= _NAMED else f"{names} and {len(acks) - _NAMED} more"
