"""What the control topic held at some place, and how it was told there. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from penstock.cli.control.wording import clock, comparison, phrase
from penstock.schemas.control.command import Command, read_spec
from penstock.schemas.control.fold import Verdict
from penstock.schemas.control.refusals import CommandRefused
from penstock.schemas.control.resources import Resource
from penstock.schemas.control.specs import Spec

_LONGEST: Final = 120  # characters of what could not be read


def told(verdict: Verdict) -> list[str]:
    """Return a command as lines: who, when, what, why, and why it was refused if it was."""
    command = verdict.command
    if command is None:
        lines = [f"{verdict.offset}  what is no command"]
    else:
        lines = [f"{verdict.offset}  {clock(command.time)}  {command.issuer}  {_what(command)}"]
        lines += [f"    why: {command.reason}"] if command.reason else []
    return lines + ([f"    refused: {verdict.refused}"] if verdict.refused is not None else [])


def document(verdict: Verdict) -> dict[str, Any]:
    """Return a command for programs."""
    refused = verdict.refused
    return {
        "offset": verdict.offset,
        "command": None if verdict.command is None else verdict.command.model_dump(mode="json"),
        "accepted": refused is None,
        "code": None if refused is None else refused.code.value,
        "refused": None if refused is None else refused.message,
    }


def wanted_at(verdicts: Sequence[Verdict], offset: int) -> dict[Resource, Spec]:
    """Return what was wanted after the record at an offset."""
    found: dict[Resource, Spec] = {}
    for verdict in verdicts:
        command = verdict.command
        if verdict.offset > offset or command is None or verdict.refused is not None:
            continue
        if command.spec is None:
            found.pop(command.about, None)
        else:
            found[command.about] = read_spec(command.about, command.spec)
    return found


def differences(before: Mapping[Resource, Spec], after: Mapping[Resource, Spec]) -> Iterator[list[str]]:
    """Yield for each resource that differs its name, and the lines of the difference."""
    for about in sorted({*before, *after}, key=str):
        was, is_ = before.get(about), after.get(about)
        if was != is_:
            yield [str(about), *(f"  {line}" for line in comparison(about, was, is_))]


def _what(command: Command) -> str:
    try:
        about = command.about
        spec = None if command.spec is None else read_spec(about, command.spec)
    except (CommandRefused, ValueError):
        return f"{command.resource}: {str(command.spec)[:_LONGEST]}"
    return f"{command.resource}: {phrase(about, spec)}"
