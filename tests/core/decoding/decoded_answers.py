"""What a decoder says of each request, in a form that can be compared."""

from collections.abc import Sequence
from typing import Any

from penstock.core.decoding.decoder import DecodedStep, RequestDecoder
from penstock.core.decoding.general_way import Decoded, GeneralWay
from penstock.core.decoding.number_parser import NumberParser, OrjsonNumbers, SimdjsonNumbers, fastest_parser
from penstock.core.model import Array, Signature
from penstock.schemas.errors import ErrorCode
from penstock.schemas.limits import Limits

HAS_SIMDJSON = isinstance(fastest_parser(), SimdjsonNumbers)  # there is none for every Python
PARSERS: list[NumberParser] = [OrjsonNumbers(), *([SimdjsonNumbers()] if HAS_SIMDJSON else [])]

# id, error code or what each input holds, outputs.
Answer = tuple[bytes | None, ErrorCode | dict[str, Any], tuple[str, ...] | None]


def every_decoder(signature: Signature, limits: Limits) -> list[RequestDecoder]:
    """One for each way that numbers can be read: by layouts, with either parser, and one by one."""
    by_layouts = [RequestDecoder(signature, limits, small_bytes=0, parser=parser) for parser in PARSERS]
    return [*by_layouts, RequestDecoder(signature, limits)]


def answers(step: DecodedStep, count: int) -> list[Answer]:
    """What a step says of each of its values."""
    assert len(step.ids) == count
    assert step.rows is None or len(step.rows) == count
    assert step.outputs is None or len(step.outputs) == count
    found: list[Answer] = []
    start = 0
    for place in range(count):
        if place in step.odd:
            found.append(of_decoded(step.odd[place]))
            continue
        rows = 1 if step.rows is None else step.rows[place]
        inputs = {name: column[start : start + rows] for name, column in step.columns.items()}
        wanted = None if step.outputs is None else step.outputs[place]
        found.append((step.ids[place], held(inputs), wanted))
        start += rows
    assert all(len(column) == start for column in step.columns.values())
    return found


def general_answers(signature: Signature, limits: Limits, values: Sequence[bytes | None]) -> list[Answer]:
    """What the general way says of each value."""
    general = GeneralWay(signature, limits)
    return [of_decoded(general.read(value)) for value in values]


def of_decoded(decoded: Decoded) -> Answer:
    """The answer to a request that was read by itself."""
    if decoded.bound is None:
        assert decoded.error is not None
        return decoded.id, decoded.error.code, None
    return decoded.id, held(decoded.bound.inputs), decoded.bound.outputs


def held(inputs: dict[str, Array]) -> dict[str, Any]:
    """Shape, dtype and elements of each input, bit by bit."""
    return {
        name: (array.shape, array.dtype, array.tolist() if array.dtype.kind == "O" else array.tobytes())
        for name, array in inputs.items()
    }
