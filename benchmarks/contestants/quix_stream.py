"""Quix Streams: a streaming data frame that answers each message by itself, as its documentation has it.

`app.dataframe(topic).apply(...).to_topic(...)` (https://quix.io/docs/quix-streams/processing.html), at least once,
with its default checkpoint every 5 s. In its favour: bytes in and bytes out, so that it parses nothing itself, topics
that are there already, no log, and `linger.ms` 0, without which each reply waits 5 ms. Checksums are checked, as
Penstock does.
"""

from quixstreams import Application  # type: ignore[import-not-found]

from benchmarks.contestants.answering import Answering
from benchmarks.contestants.options import Options, read_options


def serve(options: Options) -> None:
    """Serve until SIGTERM."""
    answering = Answering(options)
    app = Application(
        broker_address=options.bootstrap,
        consumer_group=options.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="ERROR",
        consumer_extra_config={"check.crcs": True},
        producer_extra_config={"enable.idempotence": True, "linger.ms": 0},
    )
    requests = app.topic(options.requests, key_deserializer="bytes", value_deserializer="bytes")
    replies = app.topic(options.replies, key_serializer="bytes", value_serializer="bytes")
    app.dataframe(requests).apply(lambda value: answering.answer([value])[0]).to_topic(replies)
    app.run()


if __name__ == "__main__":
    serve(read_options(__doc__))
