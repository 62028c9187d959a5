"""A limit: librdkafka reads and writes the same bytes, by way of confluent-kafka, and nothing else happens.

Set up as the pipelined expert loop (see `expert.py`), with no model in the middle.
"""

from benchmarks.contestants.expert import IN_FLIGHT, Commits, consumer_of, producer_of, take
from benchmarks.contestants.options import BATCH, Options, read_options, until_sigterm


def serve(options: Options) -> None:
    """Pass records on until SIGTERM."""
    stopping = until_sigterm()
    consumer, producer = consumer_of(options), producer_of(options)
    commits = Commits(consumer)
    while not stopping:
        batch = take(consumer, producer)
        for message in batch:
            producer.produce(options.replies, message.value(), message.key(), partition=message.partition())
        commits.add(batch)
        while len(producer) > IN_FLIGHT * BATCH:
            producer.poll(0.001)
        commits.behind()
    producer.flush(10)
    commits.commit()
    consumer.close()


if __name__ == "__main__":
    serve(read_options(__doc__))
