"""A limit: ONNX Runtime by itself, batches of 64 rows, one thread, no Kafka and no JSON. Prints its figures as JSON."""

import argparse
import json
import resource
import time

import numpy as np

from benchmarks.contestants.answering import open_session

_BATCH = 64


def run(model: str, rows: int) -> dict[str, float]:
    """Run that many rows through a model, and return rows a second, CPU microseconds a row, and peak MiB."""
    session = open_session(model)
    (tensor,) = session.get_inputs()
    batch = np.random.default_rng(1).random((_BATCH, int(tensor.shape[1])), dtype=np.float32)
    for _ in range(20):
        session.run(None, {tensor.name: batch})
    batches = max(1, rows // _BATCH)
    begun, worked = time.perf_counter(), time.process_time()
    for _ in range(batches):
        session.run(None, {tensor.name: batch})
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "requests": batches * _BATCH,
        "seconds": seconds,
        "per_second": batches * _BATCH / seconds,
        "cpu_us": worked / (batches * _BATCH) * 1e6,
        "peak_mib": peak,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", type=int, required=True)
    given = parser.parse_args()
    print(json.dumps(run(given.model, given.rows)))
