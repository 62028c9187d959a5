"""Run a whole CSV file through a model, and write another one with the answers.

python backfill.py rows.csv predictions.csv
"""

import csv
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from penstock import Client, PenstockError

KAFKA = os.environ.get("KAFKA", "localhost:9092")
REQUESTS = os.environ.get("REQUESTS", "requests")
REPLIES = os.environ.get("REPLIES", "replies")
ROWS = 50  # in each request: fewer requests cost less, and a worker gathers more of them anyway


def main(source: Path, target: Path) -> None:
    start, count = time.monotonic(), 0
    unfinished = target.with_name(f"{target.name}.part")  # so that half a file is never taken for a whole one
    with (
        Client.sync(KAFKA, request_topic=REQUESTS, reply_topic=REPLIES) as client,
        source.open(newline="") as lines,
        unfinished.open("w", newline="") as out,
    ):
        reader, writer = csv.reader(lines), csv.writer(out)
        writer.writerow([*next(reader, []), "label", "probability"])
        asked: deque[list[list[str]]] = deque()

        def blocks() -> Iterator[np.ndarray]:
            while block := list(islice(reader, ROWS)):
                asked.append(block)
                yield np.array(block, dtype=np.float32)

        # The file is read as answers come back: it may be larger than memory. 100 requests are on their way at once.
        for answer in client.predict_many("iris", blocks(), max_in_flight=100, timeout_s=60.0):
            block = asked.popleft()  # answers come in the order of the inputs
            for row, label, scores in zip(block, answer["label"], answer["probabilities"], strict=True):
                writer.writerow([*row, label, f"{scores[label]:.4f}"])
            count += len(block)
    unfinished.replace(target)
    print(f"{count} rows in {time.monotonic() - start:.1f} s: {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {Path(sys.argv[0]).name} ROWS.csv PREDICTIONS.csv")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (PenstockError, OSError, ValueError) as error:  # ValueError: a line that holds no numbers
        sys.exit(f"backfill.py: {error}")
