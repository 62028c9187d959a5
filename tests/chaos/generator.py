"""Sends requests at a rate, in a thread of its own, while brokers come and go."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from tests.chaos.requests import Layout

_NAP_S: Final = 0.005
_FLUSH_S: Final = 120.0  # the last requests may have to wait for a broker
_BEHIND_S: Final = 0.5  # a pause is not made up for at once: a burst would be another test
_FULL_S: Final = 0.05


class Generator:
    """Sends the requests of a layout, by their numbers.

    Args:
        bootstrap: the nodes' own addresses.
        topic: that gets them.
        layout: what they look like; it may be set anew while sending, for the numbers that come.
        rate: requests a second; it may be set anew.

    Attributes:
        count: requests handed to the client so far.
        placed: number, partition and offset of each that Kafka has taken.
        refused: numbers that it has not, as far as the client knows.
    """

    def __init__(self, bootstrap: str, topic: str, layout: Layout, rate: float) -> None:
        self.layout, self.rate = layout, rate
        self.count = 0
        self.placed: list[tuple[int, int, int]] = []
        self.refused: list[int] = []
        self.failure: BaseException | None = None
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._bootstrap = bootstrap
        self._producer = self._connect()

    def _connect(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": int(_FLUSH_S * 1000),
                "reconnect.backoff.max.ms": 500,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )

    def start(self) -> None:
        """Send until stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait until the fate of each request is known; blocks. Raises: what the thread met."""
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def renew(self) -> None:
        """Begin anew with Kafka, which has forgotten what was sent; nothing may be on its way. Blocks."""
        self._producer.flush(_FLUSH_S)
        self._producer = self._connect()

    def end(self) -> None:
        """Stop as it is: what is on its way is given up; blocks. Does nothing where it has stopped, or never began."""
        self._stop.set()
        if self._thread.is_alive():
            self._producer.purge()
            self._thread.join()

    @property
    def acknowledged(self) -> int:
        """How many requests Kafka has taken."""
        return len(self.placed)

    def _run(self) -> None:
        try:
            self._send()
            if left := self._producer.flush(_FLUSH_S):
                raise TimeoutError(f"{left} requests are still waiting for a broker")
        except BaseException as error:
            self.failure = error

    def _send(self) -> None:
        due, last = 0.0, time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            due += min(now - last, _BEHIND_S) * self.rate
            last = now
            for _ in range(int(due)):
                self._produce(self.count)
                self.count += 1
            due -= int(due)
            self._producer.poll(0)
            time.sleep(_NAP_S)

    def _produce(self, number: int) -> None:
        request = self.layout.request(number)
        reported = self._reported(number)
        while not self._stop.is_set() or number == self.count:
            try:
                self._producer.produce(
                    self._topic,
                    request.value,
                    request.key,
                    request.partition,
                    on_delivery=reported,
                    headers=list(request.headers),
                )
                return
            except BufferError:
                self._producer.poll(_FULL_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    raise
                self._producer.list_topics(self._topic, timeout=_FLUSH_S)  # it was added a moment ago

    def _reported(self, number: int) -> Callable[[Any, Any], None]:
        def report(error: Any, message: Any) -> None:
            if error is None:
                self.placed.append((number, message.partition(), message.offset()))
            elif error.fatal():
                self.failure = KafkaException(error)
            else:
                self.refused.append(number)

        return report
