"""Bytewax: a dataflow from `KafkaSource` by way of `flat_map_batch` to `KafkaSink`.

As https://docs.bytewax.io/stable/api/bytewax/bytewax.connectors.kafka.html has it; `flat_map_batch` gives the step
whole batches, up to 1,000 records as the source's default is. It keeps its place in recovery snapshots of its own,
never as offsets in Kafka; none are set up here, which is in its favour. The sink flushes after each batch; `linger.ms`
is 0, so that it does not wait 5 ms each time. Checksums are checked, and the producer is idempotent, as Penstock's is.
"""

from collections.abc import Iterator
from typing import Any

from bytewax import operators as op  # type: ignore[import-not-found]
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource  # type: ignore[import-not-found]
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
from bytewax.run import cli_main  # type: ignore[import-not-found]

from benchmarks.contestants.answering import Answering
from benchmarks.contestants.options import Options, read_options


def dataflow(options: Options) -> Dataflow:
    """Return the flow of requests to replies."""
    answering = Answering(options)

    def answer(messages: list[Any]) -> Iterator[Any]:
        values = answering.answer([message.value for message in messages])
        for message, value in zip(messages, values, strict=True):
            yield KafkaSinkMessage(message.key, value)

    flow = Dataflow("answers")
    brokers = [options.bootstrap]
    source = KafkaSource(brokers, [options.requests], add_config={"check.crcs": "true"})
    sink = KafkaSink(brokers, options.replies, add_config={"linger.ms": "0", "enable.idempotence": "true"})
    stream = op.input("requests", flow, source)
    op.output("replies", op.flat_map_batch("answer", stream, answer), sink)
    return flow


if __name__ == "__main__":
    cli_main(dataflow(read_options(__doc__)))
