"""Requests as clients write them, and replies as they are read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson


def infer(*rows: Sequence[float], name: str = "x", request_id: str | None = None) -> bytes:
    """A request with one FP32 input."""
    flat = [float(number) for row in rows for number in row]
    tensor = {"name": name, "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": flat}
    document: dict[str, Any] = {"inputs": [tensor]}
    if request_id is not None:
        document["id"] = request_id
    return orjson.dumps(document)


def tensor(name: str, shape: Sequence[int], data: Sequence[float]) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "datatype": "FP32", "data": list(data)}


def headers_of(record: Any) -> dict[str, bytes]:
    """A record's headers; a name given twice would be a fault of ours."""
    named = dict(record.headers)
    assert len(named) == len(record.headers), record.headers
    return named


def source_of(record: Any) -> str:
    return headers_of(record)["penstock-source"].decode()


def data_of(record: Any) -> list[float]:
    """The numbers of a reply's first output."""
    return list(orjson.loads(record.value)["outputs"][0]["data"])


def error_of(record: Any) -> str:
    """The code of an error reply, which header and body must agree on."""
    code = headers_of(record)["penstock-error"].decode()
    body = orjson.loads(record.value)
    assert body["code"] == code
    assert body["error"]
    return code


def by_source(replies: Iterable[Any]) -> Mapping[str, list[Any]]:
    """Replies by the request they answer."""
    found: dict[str, list[Any]] = defaultdict(list)
    for record in replies:
        found[source_of(record)].append(record)
    return found


def disorder(replies: Iterable[Any]) -> list[str]:
    """Where the first answers of a key do not come in the order of its requests. Replies as `Lane.read` gives them."""
    answered: set[str] = set()
    last: dict[bytes, tuple[int, int]] = {}
    faults: list[str] = []
    for record in replies:
        source = source_of(record)
        if source in answered:
            continue
        answered.add(source)
        partition, offset = (int(part) for part in source.rsplit("/", 2)[1:])
        before = last.get(record.key)
        if before is not None and before[0] == partition and before[1] > offset:
            faults.append(f"key {record.key!r}: {source} answered after offset {before[1]}")
        last[record.key] = (partition, offset)
    return faults
