"""Which dead letters are meant. Pure."""

from dataclasses import dataclass
from datetime import datetime

from penstock.cli.topics.plan import parse_duration
from penstock.schemas.dead_letters.letter import DeadLetter
from penstock.schemas.errors import ErrorCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What dead letters must have; None takes any.

    Attributes:
        reason: the code.
        model: `name` or `name@version`.
        digest: of the fault, or how it begins.
        since_ms, until_ms: when they were written, since the epoch; the second is excluded.
    """

    reason: str | None = None
    model: str | None = None
    digest: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Tell whether a dead letter is among those that are meant."""
        return (
            (self.reason is None or letter.reason == self.reason.upper())
            and (self.model is None or self.model in (letter.model, letter.model.partition("@")[0]))
            and (self.digest is None or letter.digest.startswith(self.digest.lower()))
            and (self.since_ms is None or letter.time_ms >= self.since_ms)
            and (self.until_ms is None or letter.time_ms < self.until_ms)
        )

    def asks_for(self, letter: DeadLetter) -> bool:
        """Tell whether a dead letter may be sent again: what has killed workers only if it is asked for by name."""
        named = self.reason is not None or self.digest is not None
        return self.takes(letter) and (named or letter.reason != ErrorCode.POISON.value)


def parse_time(text: str, now_ms: int) -> int:
    """Turn `2h` (ago), `2026-11-23` or `2026-11-23T04:35` into epoch milliseconds.

    Args:
        text: what somebody typed; a time without a zone is one of this machine's.
        now_ms: since the epoch.

    Raises:
        ValueError: it is nothing like that.
    """
    try:
        return now_ms - parse_duration(text) * 1000
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(text.strip()).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a time, such as 2026-11-23T04:35, nor one ago, such as 2h") from None
