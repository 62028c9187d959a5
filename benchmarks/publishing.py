"""What writing a record batch takes, by CPU time: ours from columns, ours record by record, and aiokafka's builder.

    python -m benchmarks.publishing                500 replies with four headers each, and one reply
    python -m benchmarks.publishing --rounds 2000  steadier figures

Each round runs every contestant once on the same replies, one after another, so that what disturbs the machine disturbs
all of them. Microseconds are those of the fastest round; shares of aiokafka's time are taken within each round, and the
middle one counts. All make the same bytes. No Kafka, no network.
"""

import argparse
from collections.abc import Callable

import orjson
from aiokafka.producer.message_accumulator import BatchBuilder

from benchmarks.paired import measured, share
from penstock.schemas.headers import Header
from penstock.transport.record_batch import RecordBatch
from penstock.transport.record_encoding import OwnHeader, RecordColumns, SingleRecords

ROOM = 900_000  # bytes of a batch, as the worker's publisher has it
NOW_MS = 1_700_000_000_000
SOURCE = b"requests/5/"
SHARED: tuple[Header, ...] = (
    ("penstock-model", b"classifier@1"),
    ("penstock-epoch", b"-1"),
    ("content-type", b"application/json"),
)
PRODUCER = (7, 0, 0)  # id, epoch, sequence of the first record
THEIRS = "aiokafka's builder"


def value(number: int) -> bytes:
    """Return a reply with a label and two scores."""
    label = {"name": "label", "datatype": "INT64", "shape": [1], "data": [number % 2]}
    scores = {"name": "scores", "datatype": "FP32", "shape": [1, 2], "data": [0.25, 0.75]}
    body = {"id": f"r-{number}", "model_name": "classifier", "model_version": "1", "outputs": [label, scores]}
    return orjson.dumps(body)


def contestants(count: int) -> dict[str, Callable[[], bytes]]:
    """Return what is compared, ready to run on so many replies; each makes its replies' headers itself."""
    offsets = range(1_000, 1_000 + count)
    keys, values = [b"k%d" % at for at in offsets], [value(at) for at in offsets]

    def headers(offset: int) -> list[Header]:
        return [("penstock-source", b"%s%d" % (SOURCE, offset)), *SHARED]

    def theirs() -> bytes:
        builder = BatchBuilder(ROOM, 0)
        for key, each, offset in zip(keys, values, offsets, strict=True):
            builder.append(timestamp=NOW_MS, key=key, value=each, headers=headers(offset))
        builder._set_producer_state(*PRODUCER)
        return bytes(builder._build())

    def singly() -> bytes:
        batch = RecordBatch(ROOM)
        found = zip(keys, values, map(headers, offsets), strict=True)
        batch.extend(SingleRecords(found), NOW_MS)
        batch._set_producer_state(*PRODUCER)
        return batch._build()

    def columns() -> bytes:
        batch = RecordBatch(ROOM)
        source = OwnHeader("penstock-source", offsets, SOURCE)
        batch.extend(RecordColumns(keys, values, [source], SHARED), NOW_MS)
        batch._set_producer_state(*PRODUCER)
        return batch._build()

    return {THEIRS: theirs, "ours, record by record": singly, "ours, from columns": columns}


def main(rounds: int) -> None:
    """Run and print everything."""
    print(f"{'microseconds of CPU a record':30}{'fastest':>9}   of aiokafka's")
    for count in (500, 1):
        calls = contestants(count)
        if len({call() for call in calls.values()}) != 1:
            raise SystemExit("they make different bytes")
        found = measured(calls, rounds, again=500 // count)
        print(f"{count} in a batch")
        for name, seconds in found.items():
            part = share(seconds, found[THEIRS])
            print(f"  {name:28}{min(seconds) / count * 1e6:9.2f}   {part:.0%}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300, help="how often each contestant runs")
    main(parser.parse_args().rounds)
