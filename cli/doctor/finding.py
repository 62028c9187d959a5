"""What the doctor finds: one line each, and for what is not well the reason and the remedy."""

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "warning", "fault", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        section: the part of the service, as `topics`.
        check: what was looked at, in a word or two; stays the same from run to run.
        level: ok; warning: it serves, but not as it should; fault: it keeps from serving; skipped: not looked at.
        what: what was seen, without a full stop.
        why: why it matters, in sentences.
        mend: what to do about it, in sentences.
        commands: command lines that do it, or begin to.
    """

    section: str
    check: str
    level: Level
    what: str
    why: str = ""
    mend: str = ""
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Makes the findings of one part of the service."""

    name: str

    def ok(self, check: str, what: str) -> Finding:
        """It is well."""
        return Finding(self.name, check, "ok", what)

    def warning(self, check: str, what: str, why: str, mend: str = "", commands: tuple[str, ...] = ()) -> Finding:
        """It serves, but not as it should."""
        return Finding(self.name, check, "warning", what, why, mend, commands)

    def fault(self, check: str, what: str, why: str, mend: str = "", commands: tuple[str, ...] = ()) -> Finding:
        """It keeps the service from serving."""
        return Finding(self.name, check, "fault", what, why, mend, commands)

    def skipped(self, check: str, what: str, mend: str = "", commands: tuple[str, ...] = ()) -> Finding:
        """It was not looked at."""
        return Finding(self.name, check, "skipped", what, "", mend, commands)


SETTINGS: Final = Section("settings")
KAFKA: Final = Section("kafka")
TOPICS: Final = Section("topics")
ACCESS: Final = Section("access")
GROUP: Final = Section("group")
MODELS: Final = Section("models")
MACHINE: Final = Section("machine")
WORKERS: Final = Section("workers")
SECTIONS: Final = (SETTINGS, KAFKA, TOPICS, ACCESS, GROUP, MODELS, MACHINE, WORKERS)
