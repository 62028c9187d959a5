"""Bad values: rows 1 to 7 and 24 to 32."""

import base64
import io
import pickle
from typing import Any

import numpy as np

from tests.bad_input.rows import GOOD, RAW, Answer, Error, Request, Row, asking, inputs, to


def npy(array: Any) -> bytes:
    """An array as `numpy.save` writes it; objects are pickled."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz() -> bytes:
    """An archive as `numpy.savez` writes it."""
    file = io.BytesIO()
    np.savez(file, x=np.zeros((1, 3), np.float32))
    return file.getvalue()


A = {"name": "a", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
B = {"name": "b", "shape": [1, 1], "datatype": "FP32", "data": [3]}
X = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 0]}
ROWS_OF_FOUR = np.arange(64, dtype="<f4").reshape(16, 4)
MILLIONS = 4_200_000  # more than limits.max_elements

# What is no request, cannot be read, or is more than may be read.
UNREAD = [
    Row(1, "no value", Request(None), Error("BAD_REQUEST")),
    Row(1, "an empty value", Request(b""), Error("BAD_REQUEST")),
    Row(1, "an empty raw tensor", Request(b"", [RAW]), Error("BAD_REQUEST")),
    Row(2, "invalid UTF-8", Request(GOOD.replace(b"x", b"\xff\xfe")), Error("BAD_ENCODING")),
    Row(2, "half a surrogate pair", Request(GOOD.replace(b"x", b"\\ud800")), Error("BAD_ENCODING")),
    Row(2, "JSON that is cut off", Request(GOOD[:-9]), Error("BAD_ENCODING")),
    Row(2, "no JSON", Request(b"predict this"), Error("BAD_ENCODING")),
    Row(2, "two documents", Request(GOOD + GOOD), Error("BAD_ENCODING")),
    Row(3, "lists 100,000 deep", Request(b"[" * 100_000 + b"]" * 100_000), Error("TOO_COMPLEX")),
    Row(3, "objects 100,000 deep", Request(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), Error("TOO_COMPLEX")),
    Row(3, "100,000 lists that never end", Request(GOOD[:-4] + b"[" * 100_000), Error("TOO_COMPLEX")),
    Row(4, "10 MB of digits", Request(GOOD.replace(b"1,2", b"9" * 10_000_000)), Error("TOO_COMPLEX")),
    Row(5, "an input name twice", Request(inputs(X, X)), Error("BAD_REQUEST")),
    Row(6, "NaN", Request(GOOD.replace(b"1,2", b"NaN,2")), Error("BAD_VALUE")),
    Row(6, "Infinity", Request(GOOD.replace(b"1,2", b"1,Infinity")), Error("BAD_VALUE")),
    Row(6, "-Infinity", Request(GOOD.replace(b"1,2", b"1,-Infinity")), Error("BAD_VALUE")),
    Row(6, "beyond a double", Request(GOOD.replace(b"1,2", b"1,1e999")), Error("BAD_VALUE")),
    Row(7, "1e9 elements declared", Request(asking(shape=[10**9], data=[])), Error("TOO_LARGE")),
    Row(7, "8e6 elements sent", Request(GOOD.replace(b"1,2", b"1," * 8_400_000 + b"2")), Error("TOO_LARGE")),
]

# What the model does not take.
UNFIT = [
    Row(24, "an input missing", Request(inputs(A), to("joiner")), Error("BAD_INPUT")),
    Row(24, "an input of another name", Request(asking(name="z")), Error("BAD_INPUT")),
    Row(24, "an input too many", Request(inputs(A, B, {**B, "name": "c"}), to("joiner")), Error("BAD_INPUT")),
    Row(24, "one input by both its names", Request(inputs(X, {**X, "name": ""})), Error("BAD_INPUT")),
    Row(24, "an output that is not there", Request(GOOD[:-1] + b',"outputs":[{"name":"z"}]}'), Error("BAD_INPUT")),
    Row(25, "INT64 for FP32", Request(asking(datatype="INT64")), Error("BAD_DTYPE")),
    Row(25, "FP16 for FP32", Request(asking(datatype="FP16")), Error("BAD_DTYPE")),
    Row(25, "a datatype that is none", Request(asking(datatype="FP31")), Error("BAD_DTYPE")),
    Row(25, "FP64 for FP32", Request(asking(datatype="FP64")), Answer()),
    Row(25, "FP64 beyond FP32", Request(asking(datatype="FP64", data=[1e300, 0, 0])), Error("BAD_VALUE")),
    Row(26, "rank 1 for 2", Request(asking(shape=[3])), Error("BAD_SHAPE")),
    Row(26, "rank 3 for 2", Request(asking(shape=[1, 1, 3])), Error("BAD_SHAPE")),
    Row(26, "rank 0", Request(asking(shape=[], data=[1])), Error("BAD_SHAPE")),
    Row(26, "rank 1,000", Request(asking(shape=[1] * 1000, data=[1])), Error("BAD_SHAPE")),
    Row(26, "data nested otherwise", Request(asking(data=[[1, 2], [0]])), Error("BAD_SHAPE")),
    Row(27, "a negative dimension", Request(asking(shape=[-1, 3])), Error("BAD_SHAPE")),
    Row(27, "a dimension of 0", Request(asking(shape=[0, 3], data=[])), Error("BAD_SHAPE")),
    Row(27, "a dimension of 1.0", Request(asking(shape=[1.0, 3])), Error("BAD_SHAPE")),
    Row(28, "2^62 x 2^62", Request(asking(shape=[2**62, 2**62], data=[])), Error("BAD_SHAPE")),
    Row(28, "2^32 x 2^32 x 3", Request(asking(shape=[2**32, 2**32, 3], data=[])), Error("BAD_SHAPE")),
    Row(29, "too few elements", Request(asking(data=[1, 2])), Error("BAD_SHAPE")),
    Row(29, "too many elements", Request(asking(data=[1, 2, 0, 0])), Error("BAD_SHAPE")),
    Row(29, "bytes that are no whole row", Request(bytes(13), [RAW]), Error("BAD_SHAPE")),
    Row(30, "6e6 elements declared", Request(asking(shape=[2_000_000, 3], data=[])), Error("TOO_LARGE")),
    Row(30, "4.2e6 elements sent", Request(bytes(MILLIONS), to("pixels", RAW)), Error("TOO_LARGE")),
    Row(30, "more rows than the model takes", Request(bytes(4 * 4 * 9), to("few", RAW)), Error("TOO_LARGE")),
]


def text(value: str, **more: Any) -> dict[str, Any]:
    """The input of the model of texts."""
    return {"name": "text", "shape": [1], "datatype": "BYTES", "data": [value], **more}


def in_base64(value: str) -> Request:
    """A text that is declared to be base64."""
    return Request(inputs(text(value, parameters={"content_type": "base64"})), to("texts"))


# What is written in another way.
OTHERWISE = [
    Row(31, "base64 with other characters", in_base64("%%%%"), Error("BAD_ENCODING")),
    Row(31, "base64 without its end", in_base64("aGVsbG8"), Error("BAD_ENCODING")),
    Row(31, "base64 that is no ASCII", in_base64("aGVsbGä="), Error("BAD_ENCODING")),
    Row(31, "base64 that is right", in_base64(base64.b64encode(b"hello").decode()), Answer([5])),
    Row(32, "a pickled npy", Request(npy(np.array([{}], dtype=object))), Error("UNSUPPORTED")),
    Row(32, "an npy", Request(npy(ROWS_OF_FOUR)), Error("UNSUPPORTED")),
    Row(32, "an npy for raw bytes", Request(npy(ROWS_OF_FOUR), to("few", RAW)), Error("UNSUPPORTED")),
    Row(
        32,
        "an npy for raw bytes, by chance of whole rows",
        Request(npy(ROWS_OF_FOUR), to("four", RAW)),
        Error("UNSUPPORTED"),
    ),
    Row(32, "a zip npz", Request(npz()), Error("UNSUPPORTED")),
    Row(32, "a zip npz for raw bytes", Request(npz(), [RAW]), Error("UNSUPPORTED")),
    Row(32, "a pickle", Request(pickle.dumps([1, 2, 0])), Error("UNSUPPORTED")),
    Row(
        32,
        "an npy by its name",
        Request(npy(ROWS_OF_FOUR), [("content-type", b"application/x-npy")]),
        Error("UNSUPPORTED"),
    ),
]

ROWS = [*UNREAD, *UNFIT, *OTHERWISE]
