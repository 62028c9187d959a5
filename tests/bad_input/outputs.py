"""What the model makes of its rows: rows 33, 34, 36, 37 and 38."""

import numpy as np

from tests.bad_input.rows import RAW, Answer, Error, Request, Row, asking, inputs, to

INF, NAN = float("inf"), float("nan")


def raw(*numbers: float) -> bytes:
    return np.array(numbers, "<f4").tobytes()


def number(value: float, name: str = "x", datatype: str = "FP32") -> bytes:
    return inputs({"name": name, "shape": [1, 1], "datatype": datatype, "data": [value]})


DENORMAL = raw(1e-42, -1e-45, 0.0, 1.0)
ODD_NUMBERS = raw(NAN, INF, -INF, -0.0)

ROWS = [
    Row(33, "denormals in a raw tensor", Request(DENORMAL, to("four", RAW)), Answer(DENORMAL)),
    Row(33, "NaN and infinity in a raw tensor", Request(ODD_NUMBERS, to("four", RAW)), Answer(ODD_NUMBERS)),
    Row(34, "an index beyond the table", Request(number(4, "index", "INT64"), to("lookup")), Error("BAD_VALUE")),
    Row(34, "an index of -2^40", Request(number(-(2**40), "index", "INT64"), to("lookup")), Error("BAD_VALUE")),
    Row(34, "the last index", Request(number(3, "index", "INT64"), to("lookup")), Answer([30.0])),
    Row(36, "a row that makes the model raise", Request(asking(data=[1, 666, 0])), Error("MODEL_FAILED")),
    Row(37, "infinity, in JSON", Request(number(0), to("inverse")), Error("BAD_OUTPUT")),
    Row(37, "infinity, in raw bytes", Request(raw(0.0), to("inverse", RAW)), Answer(raw(INF))),
    Row(38, "a reply over its bound", Request(bytes(12 * 10_000), [RAW]), Error("REPLY_TOO_LARGE")),
]
