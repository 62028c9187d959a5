"""Dead letters as a list: by what is wrong with them, or one by one. Pure, but for the printing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.cli.control.wording import clock
from penstock.cli.deadletters.finding import Listed
from penstock.cli.figures import NOTHING, counted
from penstock.cli.terminal import print_table, printable
from penstock.schemas.dead_letters.letter import DeadLetter

_MESSAGE_WIDTH: Final = 200


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters with one fault.

    Attributes:
        reason, model, digest: what they share.
        count: how many there are.
        redriven: how many of them have been sent again.
        first_ms, last_ms: when the oldest and the newest were written.
        newest: the newest of them.
    """

    reason: str
    model: str
    digest: str
    count: int
    redriven: int
    first_ms: int
    last_ms: int
    newest: DeadLetter


def grouped(letters: Sequence[Listed]) -> list[LetterGroup]:
    """Return the faults, the one that happened last in front.

    Args:
        letters: the oldest first.
    """
    groups: dict[tuple[str, str, str], list[Listed]] = {}
    for each in letters:
        groups.setdefault((each.letter.reason, each.letter.model, each.letter.digest), []).append(each)
    found = [
        LetterGroup(
            *shared,
            len(members),
            sum(each.redriven for each in members),
            members[0].letter.time_ms,
            members[-1].letter.time_ms,
            members[-1].letter,
        )
        for shared, members in groups.items()
    ]
    return sorted(found, key=lambda group: -group.last_ms)


def group_document(group: LetterGroup) -> dict[str, Any]:
    """Return a group for programs."""
    return {
        "reason": group.reason,
        "model": group.model or None,
        "digest": group.digest or None,
        "count": group.count,
        "redriven": group.redriven,
        "first_ms": group.first_ms,
        "last_ms": group.last_ms,
        "message": group.newest.message,
        "newest": str(group.newest.at),
    }


def letter_document(each: Listed) -> dict[str, Any]:
    """Return a dead letter for programs, without what it holds of the request."""
    letter = each.letter
    return {
        "at": str(letter.at),
        "time_ms": letter.time_ms,
        "reason": letter.reason,
        "message": letter.message,
        "model": letter.model or None,
        "digest": letter.digest or None,
        "source": str(letter.source),
        "group": letter.group,
        "attempts": letter.attempts,
        "payload": letter.payload_kept,
        "redriven": each.redriven,
    }


def print_groups(groups: Iterable[LetterGroup]) -> None:
    """Print three lines for each fault."""
    for number, group in enumerate(groups):
        if number:
            print()
        message = printable(group.newest.message)
        print(f"{printable(group.reason)}: {message[:_MESSAGE_WIDTH]}{'...' if len(message) > _MESSAGE_WIDTH else ''}")
        again = f", {group.redriven:,} sent again" if group.redriven else ""
        model = f"; model {printable(group.model)}" if group.model else ""
        digest = f"; digest {printable(group.digest)}" if group.digest else ""
        print(f"  {counted(group.count, 'dead letter')}{again}{model}{digest}")
        print(f"  {clock(group.first_ms)} to {clock(group.last_ms)}; newest {printable(str(group.newest.at))}")


def print_letters(letters: Iterable[Listed]) -> None:
    """Print a line for each dead letter."""
    rows = [
        (
            str(each.letter.at),
            clock(each.letter.time_ms),
            each.letter.reason,
            each.letter.model or NOTHING,
            str(each.letter.source),
            "sent again" if each.redriven else "",
        )
        for each in letters
    ]
    print_table(("dead letter", "written", "reason", "model", "request", ""), rows)
