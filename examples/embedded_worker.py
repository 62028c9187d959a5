"""A worker inside a program of one's own: here it scores sensor readings, beside the sensors that send them.

python embedded_worker.py
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator

import numpy as np

from penstock import Client, PenstockError, Signature, TensorSpec, Worker

KAFKA = os.environ.get("KAFKA", "localhost:9092")
REQUESTS = os.environ.get("REQUESTS", "readings")  # topics of this program alone; the worker makes what is missing
REPLIES = os.environ.get("REPLIES", "readings-scored")
COUNT = int(os.environ.get("COUNT", "200"))

# A row is one reading: temperature in degrees Celsius and pressure in hPa. The answer to it is one number.
SIGNATURE = Signature(
    inputs=(TensorSpec("reading", "FP32", (2,)),),
    outputs=(TensorSpec("score", "FP32", ()),),
)
USUAL, SPREAD = np.array([[20.0, 1013.0], [2.0, 5.0]], dtype=np.float32)


def score(inputs):
    """Say how unusual readings are. Called in a thread, with the rows of all requests that wait: shape [rows, 2]."""
    distance = (inputs["reading"] - USUAL) / SPREAD
    return {"score": np.sqrt((distance**2).sum(axis=1))}


async def sensor(count: int) -> AsyncIterator[list[list[float]]]:
    """Give a reading every 5 ms; now and then a strange one."""
    for _ in range(count):
        heat = 15.0 if random.random() < 0.02 else 0.0
        yield [[random.gauss(20.0 + heat, 2.0), random.gauss(1013.0, 5.0)]]
        await asyncio.sleep(0.005)


async def main() -> None:
    worker = Worker(
        {"anomaly": (score, SIGNATURE)}, KAFKA, request_topics=REQUESTS, reply_topic=REPLIES, group_id="anomaly"
    )
    # The worker first: by the time the client starts, the topics are there and somebody answers.
    async with worker, Client(KAFKA, request_topic=REQUESTS, reply_topic=REPLIES, timeout_s=10.0) as client:
        scores = []
        # Elsewhere, this loop would be another process: requests and answers go through Kafka.
        async for answer in client.predict_many("anomaly", sensor(COUNT)):
            scores.append(answer["score"].item())
            if scores[-1] > 5:
                print(f"reading {answer.index} is strange: {scores[-1]:.1f}")
        print(f"{len(scores)} readings scored, {np.mean(scores):.2f} on average")
    # Here the worker has answered and committed all that it took in, and has left its group.


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except PenstockError as error:
        sys.exit(f"embedded_worker.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)  # the worker has drained on the way out
