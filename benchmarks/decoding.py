"""What decoding takes, by CPU time: the decoder with either parser beside the loop an expert writes by hand.

    python -m benchmarks.decoding               every kind of request
    python -m benchmarks.decoding --rounds 200  steadier figures

Each round runs every contestant once on the same step of requests, one after another, so that what disturbs the
machine disturbs all of them. Microseconds are those of the fastest round; shares of the loop's time are taken within
each round, and the middle one counts. It is decoding alone: no Kafka, no model.
"""

import argparse
import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from benchmarks.paired import measured, share
from penstock.core.decoding.decoder import STEP, RequestDecoder
from penstock.core.decoding.number_parser import OrjsonNumbers, SimdjsonNumbers, fastest_parser
from penstock.core.model import Signature, TensorSpec
from penstock.schemas.limits import Limits

Y = (TensorSpec("y", "FP32", ()),)
# A model, and requests for it: one step, or several that are taken in turn.
Step = tuple[Signature, list[list[bytes]]]


def numbers(count: int, size: int, datatype: str = "FP32", rows: int = 1, **more: Any) -> list[dict[str, Any]]:
    """Return requests of `rows` rows of `size` numbers each, of up to 10 characters."""
    made = np.random.default_rng(7).random((count, rows * size)).round(8)
    shape = [rows, size]
    return [
        {"id": f"r-{index}", **more, "inputs": [{"name": "x", "shape": shape, "datatype": datatype, "data": data}]}
        for index, data in enumerate(made.tolist())
    ]


def nested(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the requests with their data nested as the shape says."""
    for document in documents:
        (tensor,) = document["inputs"]
        size = tensor["shape"][1]
        tensor["data"] = [tensor["data"][at : at + size] for at in range(0, len(tensor["data"]), size)]
    return documents


def words(count: int) -> Step:
    """Return requests with two inputs, one of them strings."""
    specs = (TensorSpec("age", "INT32", (1,)), TensorSpec("city", "BYTES", (1,)))
    age = {"name": "age", "shape": [1, 1], "datatype": "INT32"}
    city = {"name": "city", "shape": [1, 1], "datatype": "BYTES", "data": ["Bern"]}
    values = [orjson.dumps({"id": f"r-{i}", "inputs": [{**age, "data": [i]}, city]}) for i in range(count)]
    return Signature(specs, Y), [values]


def steps(rounds: int) -> dict[str, Step]:
    """Return a step of each kind of request, by what it is called."""

    def of(size: int, *variants: list[dict[str, Any]], dumps: Callable[[Any], bytes] = orjson.dumps) -> Step:
        values = [[dumps(document) for document in documents] for documents in variants]
        return Signature((TensorSpec("x", "FP32", (size,)),), Y), values

    trace = itertools.count()
    traced = [[{**each, "trace": f"t-{next(trace)}"} for each in numbers(STEP, 30)] for _ in range(rounds + 2)]
    one_bad = of(30, numbers(STEP, 30))
    one_bad[1][0][300] = one_bad[1][0][300].replace(b"]}]}", b",null]}]}")
    return {
        "30 numbers": of(30, numbers(STEP, 30)),
        "30 numbers, by json.dumps": of(30, numbers(STEP, 30), dumps=lambda document: json.dumps(document).encode()),
        "30 numbers, nested": of(30, nested(numbers(STEP, 30))),
        "30 numbers, one of 512 wrong": one_bad,
        "30 numbers, a new member each": of(30, *traced),
        "30 numbers, outputs": of(30, numbers(STEP, 30, outputs=[{"name": "y"}])),
        "30 numbers, 8 a step": of(30, numbers(8, 30)),
        "30 numbers, 1 a step": of(30, numbers(1, 30)),
        "8 rows of 30": of(30, numbers(STEP, 30, rows=8)),
        "8 rows of 30, nested": of(30, nested(numbers(STEP, 30, rows=8))),
        "784 numbers": of(784, numbers(STEP, 784)),
        "INT32 and BYTES": words(STEP),
    }


def by_hand(signature: Signature, values: list[bytes]) -> None:
    """Decode as an expert's loop does: nothing checked, no errors but exceptions."""
    loads = orjson.loads
    for spec in signature.inputs:
        rows = []
        for value in values:
            try:
                (tensor,) = (tensor for tensor in loads(value)["inputs"] if tensor["name"] == spec.name)
                rows.append(np.array(tensor["data"], object if spec.datatype == "BYTES" else np.float32))
            except TypeError:
                continue
        np.concatenate([row.reshape(-1) for row in rows])


def contestants(signature: Signature, variants: list[list[bytes]]) -> dict[str, Callable[[], object]]:
    """Return what is compared, ready to run."""
    simd = RequestDecoder(signature, Limits(), parser=SimdjsonNumbers())
    plain = RequestDecoder(signature, Limits(), parser=OrjsonNumbers())
    hand, first, second = (itertools.cycle(variants) for _ in range(3))
    return {
        "by hand": lambda: by_hand(signature, next(hand)),
        "orjson": lambda: plain.decode(next(first)),
        "simdjson": lambda: simd.decode(next(second)),
    }


def main(rounds: int) -> None:
    """Run and print everything."""
    if not isinstance(fastest_parser(), SimdjsonNumbers):
        raise SystemExit('simdjson is not installed: pip install "penstock-kafka[simdjson]"')
    print(f"{'':32}{'microseconds of CPU a request':>30}   of the loop's time")
    print(f"{'':32}{'by hand':>10}{'orjson':>10}{'simdjson':>10}{'orjson':>10}{'simdjson':>10}")
    for name, (signature, variants) in steps(rounds).items():
        calls = contestants(signature, variants)
        measured(calls, 2)  # layouts are learnt
        found = measured(calls, rounds)
        times = "".join(f"{min(seconds) / len(variants[0]) * 1e6:10.2f}" for seconds in found.values())
        shares = "".join(f"{share(found[each], found['by hand']):10.2f}" for each in ("orjson", "simdjson"))
        print(f"{name:32}{times}{shares}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="how often each contestant runs on each step")
    main(parser.parse_args().rounds)
