"""What a call looks like as a record."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest

from penstock.producer.requests import PartitionChooser, encode_inputs, request_headers
from penstock.schemas.limits import Limits
from penstock.schemas.oip import read_request


@pytest.mark.parametrize(
    ("key", "hashed"),
    # Kafka's own vectors: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_a_key_goes_where_every_kafka_client_sends_it(key: bytes, hashed: int) -> None:
    for partitions in (1, 3, 12):
        assert PartitionChooser(partitions).choose(key) == (hashed & 0x7FFFFFFF) % partitions


def test_without_a_key_every_partition_has_its_turn_for_a_while() -> None:
    chooser = PartitionChooser(3)
    chosen = [chooser.choose(None) for _ in range(3 * 64 * 5)]
    assert set(Counter(chosen).values()) == {320}
    changes = sum(one != other for one, other in pairwise(chosen))
    assert changes == 15
    assert repr(chooser) == "<PartitionChooser of 3>"


def decoded(inputs: Any) -> dict[str, tuple[str, list[Any]]]:
    request = read_request(orjson.loads(encode_inputs(inputs)), Limits())
    return {tensor.name: (tensor.datatype, tensor.data.tolist()) for tensor in request.inputs}


@pytest.mark.parametrize(
    ("inputs", "read"),
    [
        ([[1.5, 2.0]], {"": ("FP64", [[1.5, 2.0]])}),
        (np.array([[1]], np.float32), {"": ("FP32", [[1.0]])}),
        (np.array([1, 2], ">i2"), {"": ("INT16", [1, 2])}),
        ([True, False], {"": ("BOOL", [True, False])}),
        (["a", "ü"], {"": ("BYTES", ["a", "ü"])}),
        ({"a": [1], "b": [["x"]]}, {"a": ("INT64", [1]), "b": ("BYTES", [["x"]])}),
        (np.arange(6).reshape(2, 3).T, {"": ("INT64", [[0, 3], [1, 4], [2, 5]])}),
    ],
)
def test_arrays_and_lists_become_tensors(inputs: Any, read: dict[str, Any]) -> None:
    assert decoded(inputs) == read


@pytest.mark.parametrize(
    "inputs",
    [{}, 1.0, "a", [], [[]], {"a": []}, [float("nan")], [[1, 2], [3]], [1.5, None], np.array(["\ud800"], object)],
)
def test_what_cannot_be_said_in_json_is_a_value_error(inputs: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode_inputs(inputs)


@pytest.mark.parametrize("inputs", [[1j], np.array(["2020-01-01"], "M8[D]")])
def test_a_dtype_that_the_protocol_has_not_is_a_type_error(inputs: Any) -> None:
    with pytest.raises(TypeError, match="no Open Inference Protocol datatype"):
        encode_inputs(inputs)


def test_headers_say_what_a_call_wants_and_no_more() -> None:
    assert request_headers(None, None, None, 2.5) == [("penstock-timeout-ms", b"2500")]
    assert request_headers("m", "1", "ü", 0.0001) == [
        ("penstock-timeout-ms", b"1"),
        ("penstock-model", b"m"),
        ("penstock-version", b"1"),
        ("penstock-tenant", "ü".encode()),
    ]
