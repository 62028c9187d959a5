"""One dead letter with all that it holds."""

import codecs
from typing import Any, Final

from penstock.cli.control.wording import clock
from penstock.cli.deadletters.finding import Listed
from penstock.cli.deadletters.listing import letter_document
from penstock.cli.figures import counted
from penstock.cli.terminal import printable, printable_lines
from penstock.schemas.dead_letters.letter import DeadLetter

_LINE: Final = 32  # bytes of hexadecimal on a line


def document(each: Listed, most: int) -> dict[str, Any]:
    """Return a dead letter for programs; `most` bytes of the value are shown."""
    letter = each.letter
    value = letter.value
    return {
        **letter_document(each),
        "source_time_ms": letter.source_time_ms,
        "key": _either(letter.key),
        "headers": [{"name": name, **(_either(value) or {})} for name, value in letter.headers],
        "value": None if value is None else {**(_either(value[:most]) or {}), "bytes": len(value)},
    }


def print_letter(each: Listed, most: int) -> None:
    """Print a dead letter for a person; `most` bytes of the value are shown."""
    letter = each.letter
    facts = {
        "dead letter": f"{letter.at}, {'sent again' if each.redriven else 'not sent again'}",
        "written": clock(letter.time_ms),
        "reason": letter.reason,
        "message": letter.message,
        "model": letter.model or "not named",
        "digest": letter.digest or "none",
        "request": f"{letter.source}, {clock(letter.source_time_ms)}",
        "group": letter.group,
        "attempts": f"{letter.attempts:,}",
        "key": "none" if letter.key is None else _word(letter.key),
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:<{width}}  {printable(fact)}")
    print("headers" if letter.headers else f"{'headers':<{width}}  none")
    for name, value in letter.headers:
        print(f"  {printable(name)}: {_word(value or b'')}")
    _print_value(letter, most, width)


def _print_value(letter: DeadLetter, most: int, width: int) -> None:
    if letter.value is None:
        why = "none" if letter.payload_kept else "left out; it may still be where the request lay"
        print(f"{'value':<{width}}  {why}")
        return
    shown = letter.value[:most]
    rest = "" if len(shown) == len(letter.value) else f", the first {len(shown):,} shown (--bytes)"
    print(f"{'value':<{width}}  {counted(len(letter.value), 'byte')}{rest}")
    text = _text(shown)
    lines = [shown[at : at + _LINE].hex(" ", 4) for at in range(0, len(shown), _LINE)]
    print(printable_lines(text) if text is not None else "\n".join(lines))


def _either(value: bytes | None) -> dict[str, str] | None:
    """Return bytes as text where they are, else in hexadecimal."""
    if value is None:
        return None
    text = _text(value)
    return {"text": text} if text is not None else {"hex": value.hex()}


def _word(value: bytes) -> str:
    text = _text(value)
    return printable(text) if text is not None else f"0x{value.hex()}"


def _text(value: bytes) -> str | None:
    """Return the text that bytes are, the last character perhaps cut off; None where they are something else."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(value)
    except UnicodeDecodeError:
        return None
    return text if all(each.isprintable() or each in "\r\n\t" for each in text) else None
