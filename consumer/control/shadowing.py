"""Shadowing: a challenger gets copies of requests that were answered, and its answers go to a topic of their own.

    Inferring -> Outbox.answer -> Shadowing.offer -> ShadowRunner (own thread) -> ShadowReplies -> Kafka

It stands behind the live answer: a batch is offered when its replies have been handed over, and offering never waits.
Nothing that a shadow does, or Kafka does with its answers, changes an answer or holds an offset back.

What it gets: the requests that the live version has answered, those that pin a version too. A batch that failed is not
offered, nor one that the shadow's own version has answered: there would be nothing to compare. With a share below 1,
the key decides (for a record without one, its place), by the same hash as the versions of a split: a shadow sees all
requests of some keys, on every worker and after every restart, and its successor sees the same.

The arrays that a shadow reads are those of the live run. Nothing in Penstock writes to them after decoding; a Python
model that changes its own inputs in place changes what a shadow of it sees.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.consumer.control.shadow_copies import offered
from penstock.consumer.control.shadow_replies import ShadowReplies
from penstock.consumer.control.shadow_runner import ShadowBounds, ShadowRunner, ShadowTarget
from penstock.consumer.pending import PendingRequest
from penstock.core.batch import Batch
from penstock.core.engine import Inference
from penstock.core.metrics import Metrics
from penstock.schemas.logger import Logger
from penstock.transport.topics import TopicDirectory

log = Logger(__name__)

__all__ = ["ShadowBounds", "ShadowTarget", "Shadowing"]

_DISCONNECT_S: Final = 0.5


class Shadowing:
    """Runs the shadows of a worker. Everything here is called on the event loop, and nothing connects before `apply`.

    Args:
        client_options: keyword arguments for aiokafka's clients that concern the connection.
        directory: which topics there are; started before the first `apply`.
        metrics: where shadows are counted.
        topic: where their answers go unless a target names another; `<reply topic>-shadow`.
        bounds: of each shadow, and of the answers that Kafka has not taken yet.
    """

    def __init__(
        self,
        client_options: dict[str, Any],
        directory: TopicDirectory,
        metrics: Metrics,
        *,
        topic: str,
        bounds: ShadowBounds | None = None,
    ) -> None:
        self._metrics = metrics
        self._topic = topic
        self._bounds = bounds or ShadowBounds()
        self._replies = ShadowReplies(
            client_options,
            directory,
            max_reply_bytes=self._bounds.max_reply_bytes,
            max_bytes=self._bounds.max_bytes,
        )
        self._runners: dict[str, list[ShadowRunner]] = {}  # by the model's name; those that are to get copies
        self._open: set[asyncio.Future[None]] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Shadowing {[each for runners in self._runners.values() for each in runners]}>"

    def apply(self, shadows: Mapping[str, Sequence[ShadowTarget]]) -> None:
        """Have these shadows, and no others, from the next batch on.

        Their models belong to the shadowing from now on. It closes one that is not among them any more, after its last
        run and on its own thread; such a one must not come back, nor serve: load another.

        Args:
            shadows: by the name of the model that serves.
        """
        if self._closed:
            return
        before = {id(each.model): each for runners in self._runners.values() for each in runners}
        self._runners = {
            name: [self._runner(target, before.pop(id(target.model), None)) for target in targets]
            for name, targets in shadows.items()
            if targets
        }
        for gone in before.values():
            gone.end()

    def offer(self, batch: Batch[PendingRequest], inference: Inference) -> None:
        """Show a batch, whose replies have been handed over, to the shadows of its model; never waits."""
        if not self._runners or inference.model is None or inference.error is not None:
            return
        runners = self._runners.get(inference.model.name)
        if runners is None:
            return
        try:
            given = offered(batch, inference)
            for runner in runners:
                if self._replies.was_tried(runner.topic):  # a shadow begins when it is known where its answers go
                    runner.offer(given)
        except Exception as error:  # the caller is the loop that answers, and a model is somebody else's code
            log.error("batch could not be offered to a shadow", model=batch.key.model, error=repr(error))

    async def close(self, timeout_s: float = 1.0) -> bool:
        """End all shadows, and drop what has not run at the deadline.

        Returns:
            Whether every model is closed; False when a run was still going on.
        """
        deadline = time.monotonic() + timeout_s
        self._closed = True
        running = [each for runners in self._runners.values() for each in runners]
        self._runners = {}
        for runner in running:
            runner.drain()
        closing = {*self._open}
        if closing:
            await asyncio.wait(closing, timeout=timeout_s)
        for runner in running:
            runner.end()
        await self._replies.close(max(_DISCONNECT_S, deadline - time.monotonic()))
        return not self._open

    def _runner(self, target: ShadowTarget, before: ShadowRunner | None) -> ShadowRunner:
        topic = target.topic or self._topic
        self._replies.open(topic)
        if before is not None:
            before.change(target, topic)
            return before
        runner = ShadowRunner(target, topic, self._bounds, self._metrics, self._replies.add)
        self._open.add(runner.closed)
        runner.closed.add_done_callback(self._open.discard)
        return runner
