"""What to do about rows that failed."""

from collections import Counter
from typing import Final

from penstock.cli.predict.answers import Failure
from penstock.cli.predict.rows import Source

_REMEDIES: Final = {
    "UNKNOWN_MODEL": "Name one that is there, or put it into the workers' repository and start them again.",
    "VERSION_GONE": "Name one that is there, or leave the version out.",
    "BAD_NAME": "`penstock model list` prints the names of a repository.",
    "BAD_INPUT": "`penstock model show {model}` prints what it takes, with an example that works.",
    "BAD_DTYPE": "Send numbers in the datatype that it takes with --dtype, as in --dtype float32.",
    "BAD_SHAPE": "`penstock model show {model}` prints what it takes, with an example that works.",
    "BAD_OUTPUT": "`penstock model verify {model}` looks whether the model or the rows are at fault.",
    "TOO_LARGE": "Send fewer rows in a request with --rows-per-request, or raise the service's [limits].",
    "EXPIRED": "Wait longer with --timeout, or start more workers.",
    "MODEL_FAILED": "The worker's log has the reason; `penstock model verify {model}` tries the model.",
    "REPLY_TOO_LARGE": "Send fewer rows in a request with --rows-per-request.",
    "TIMEOUT": "Wait longer with --timeout, or start more workers; `penstock doctor` finds out which.",
}


def remedy(failure: Failure, model: str, source: Source) -> str:
    """Return what to do about a failure; empty where its message has said it."""
    if failure.code == "TIMEOUT" and "penstock doctor" in failure.message:
        return ""
    if failure.code == "TRANSPORT" and "TooLarge" in failure.message:  # Kafka's own word, wherever it was said
        return _REMEDIES["REPLY_TOO_LARGE"]
    said = _REMEDIES.get(failure.code, "").format(model=model)
    return f"{said} {_about_columns(failure.code, source)}".strip()


def _about_columns(code: str, source: Source) -> str:
    if not source.columns:
        return ""
    ends = f"{source.columns[0]} to {source.columns[-1]}"
    if code == "BAD_SHAPE":
        return f"Sent were {len(source.columns)} columns, {ends}; --columns and --skip-column pick."
    if code == "BAD_INPUT" and source.by_column:
        return f"Each column, {ends}, was sent as an input of its own; --skip-column leaves one out."
    if code == "BAD_INPUT":
        return "--by-column sends each column as an input of its own."
    return ""


class Failures:
    """The failures of a run: whether all are one, and which came most.

    Attributes:
        rows: how many rows have failed.
        first: the first failure.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.first: Failure | None = None
        self._codes: Counter[str] = Counter()
        self._of_code: dict[str, Failure] = {}
        self._alike = True

    def add(self, failure: Failure, rows: int) -> None:
        """Count a failure."""
        self.first = self.first or failure
        self._alike = self._alike and failure == self.first
        self.rows += rows
        self._codes[failure.code] += rows
        self._of_code.setdefault(failure.code, failure)

    @property
    def alike(self) -> bool:
        """Whether all failed with the same message."""
        return self._alike

    def most_frequent(self) -> Failure | None:
        """Return a failure with the code that came most."""
        return self._of_code[self._codes.most_common(1)[0][0]] if self._codes else None
