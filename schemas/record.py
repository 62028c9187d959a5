"""What is read of a Kafka record, whoever has made the object of it."""

from collections.abc import Sequence
from typing import Protocol

from penstock.schemas.headers import Header


class Record(Protocol):
    """What aiokafka's `ConsumerRecord` has, and the record that its C extension makes."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds, as the sender or the broker has set them."""
        ...

    @property
    def key(self) -> bytes | None:
        """The key, or None."""
        ...

    @property
    def value(self) -> bytes | None:
        """The value, or None."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """Names and values, in order."""
        ...
