"""Ask the service about the rows of rows.csv, as any program of yours would.

python client.py

It needs Kafka and a worker. In a program that runs on asyncio, `async with Client(...)` and `await client.predict(...)`
are the same, with thousands of calls in flight at once.
"""

import sys
from pathlib import Path

import numpy as np

from penstock import Client, PenstockError

ROWS_FILE = Path(__file__).parent / "rows.csv"
SPECIES = ("setosa", "versicolor", "virginica")


def main() -> None:
    """Send all rows as one request and print what came back for each."""
    if not ROWS_FILE.exists():
        sys.exit("client.py: there is no rows.csv; `python train.py` writes it")
    rows = np.loadtxt(ROWS_FILE, dtype=np.float32, delimiter=",", skiprows=1, ndmin=2)
    try:
        with Client.sync("localhost:9092", request_topic="requests", reply_topic="replies") as client:
            prediction = client.predict("iris", rows)
    except PenstockError as error:
        sys.exit(f"client.py: {error}")
    print(f"{prediction.model}, version {prediction.version}, says:")
    for row, label, probabilities in zip(rows, prediction["label"], prediction["probabilities"], strict=True):
        print(f"  {row} is {SPECIES[label]} ({probabilities[label]:.1%})")


if __name__ == "__main__":
    main()
