"""What came of the commands that were given while requests flowed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.cli.figures import duration

_OVER: Final = 1.5  # times a limit: a valve, not a meter, and the time it is looked at is short


@dataclass(frozen=True, slots=True)
class Commanded:
    """One command.

    Attributes:
        command: as an operator writes it, without `penstock`.
        workers: of the service.
        applied: those of them that did it.
        unlike: what the others said.
        seconds: from giving it to the last worker's word.
        shares: parts of the requests after it that each version answered; empty for a throttle.
        per_second: answers a second after it.
        limit: rows a second that it allows, where it is one; a request here is a row.
    """

    command: str
    workers: int
    applied: int
    unlike: Sequence[str]
    seconds: float
    shares: Mapping[str, float] = field(default_factory=dict)
    per_second: float = 0.0
    limit: float | None = None

    @property
    def faults(self) -> list[str]:
        """What is not as it must be, a line each."""
        found = [f"{self.command}: {said}" for said in self.unlike]
        if not self.workers:
            found.append(f"{self.command}: no worker heard it")
        if self.limit is not None and self.per_second > _OVER * self.limit:
            found.append(f"{self.command}: {self.per_second:,.0f} answers a second came all the same")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; times are seconds."""
        return {
            "command": self.command,
            "workers": self.workers,
            "applied": self.applied,
            "seconds": self.seconds,
            "shares": dict(self.shares),
            "per_second": self.per_second,
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class Scene:
    """All of them.

    Attributes:
        commands: in their order.
        misplaced: answers by a version that was not commanded for their customer.
        published: the new version, and what it is, for people.
    """

    commands: Sequence[Commanded]
    misplaced: int
    published: str

    @property
    def faults(self) -> list[str]:
        """What is not as it must be, a line each."""
        found = [fault for each in self.commands for fault in each.faults]
        if self.misplaced:
            found.append(f"control: {self.misplaced:,} answers by a version that was not commanded for their customer")
        return found


def scene_page(scene: Scene) -> list[str]:
    """Return what is told of the commands, a line each, at most 80 columns wide."""
    return [
        f"{'Commands while requests flow':<33}{'done by':<18}answers after it",
        *(
            f"  {each.command:<31}{f'{each.applied} of {each.workers} in {duration(each.seconds)}':<18}{_shown(each)}"
            for each in scene.commands
        ),
        f"  {scene.published}",
        *([] if scene.misplaced else ["  Each customer met the version that the command in force gives it."]),
    ]


def _shown(each: Commanded) -> str:
    if each.shares:
        (first, share), *others = sorted(each.shares.items())
        parts = [
            f"{share * 100:.0f} % by version {first}",
            *(f"{part * 100:.0f} % by {version}" for version, part in others),
        ]
        return ", ".join(parts)
    return f"{each.per_second:,.0f} answers a second"
