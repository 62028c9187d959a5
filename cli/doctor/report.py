"""Lays the findings out for a person, or counts them for a program."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from penstock.cli.doctor.finding import Finding, Level
from penstock.cli.figures import counted
from penstock.cli.remedies import folded
from penstock.cli.terminal import ascii_only, printable

_MARKS: Final[Mapping[Level, str]] = {"ok": "✓", "warning": "!", "fault": "✗", "skipped": "-"}
_PLAIN_MARKS: Final[Mapping[Level, str]] = {"ok": "+", "warning": "!", "fault": "x", "skipped": "-"}
_STYLES: Final[Mapping[Level, str]] = {"ok": "green", "warning": "yellow", "fault": "bold red", "skipped": "dim"}
_BAD: Final[tuple[Level, ...]] = ("fault", "warning")
_INDENT: Final = "    "
_WIDEST: Final = 100


def print_report(findings: Sequence[Finding], console: Console) -> None:
    """Print the findings by section, then a summary."""
    width = min(console.width, _WIDEST)
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            console.print(Text(section.capitalize(), style="bold"))
        for line in lines(finding, width, plain=ascii_only(console.encoding)):
            console.print(line, soft_wrap=True)
    console.print()
    console.print(Text(summary(findings), style=_STYLES[worst(findings)]), soft_wrap=True)


def lines(finding: Finding, width: int, *, plain: bool) -> Iterator[Text]:
    """Lay one finding out.

    Args:
        finding: what was found.
        width: of the terminal.
        plain: the terminal shows ASCII alone.
    """
    if plain:
        finding = in_ascii(finding)
    marks = _PLAIN_MARKS if plain else _MARKS
    first, *others = _wrapped(finding.what, width)
    style = _STYLES[finding.level]
    line = Text.assemble(("  " + marks[finding.level], style), " ", first)
    yield line
    for text in others:
        yield Text(_INDENT + text)
    for sentence in filter(None, (finding.why, finding.mend)):
        for text in _wrapped(sentence, width):
            yield Text(_INDENT + text, style="dim" if sentence is finding.why else "")
    for command in finding.commands:
        for text in folded(printable(command), width - 2 * len(_INDENT)):
            yield Text(2 * _INDENT + text, style="cyan")


def _wrapped(text: str, width: int) -> list[str]:
    # Addresses and names of topics stay whole, so that they can be cut and pasted.
    lines = textwrap.wrap(text, max(20, width - len(_INDENT)), break_long_words=False, break_on_hyphens=False)
    return [printable(line) for line in lines]


def in_ascii(finding: Finding) -> Finding:
    """Return a finding that any terminal can show; what it cannot is a question mark."""
    return replace(
        finding,
        what=_ascii(finding.what),
        why=_ascii(finding.why),
        mend=_ascii(finding.mend),
        commands=tuple(map(_ascii, finding.commands)),
    )


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among the findings; what was skipped counts for nothing."""
    levels = {finding.level for finding in findings}
    if "fault" in levels:
        return "fault"
    return "warning" if "warning" in levels else "ok"


def summary(findings: Sequence[Finding]) -> str:
    """Say how many there are of each kind."""
    count = counts(findings)
    parts = [counted(count[level], level) for level in _BAD if count[level]]
    well = f"{counted(count['ok'], 'check')} passed"
    rest = [f"{count['skipped']} not made"] if count["skipped"] else []
    if not parts:
        return f"All is well: {', '.join([well, *rest])}." if not rest else f"{', '.join([well, *rest])}."
    return f"{', '.join([*parts, well, *rest])}."


def counts(findings: Iterable[Finding]) -> dict[Level, int]:
    """Count the findings of each level."""
    found: dict[Level, int] = dict.fromkeys(_MARKS, 0)
    for finding in findings:
        found[finding.level] += 1
    return found


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {"healthy": worst(findings) != "fault", "counts": counts(findings), "findings": list(findings)}
