"""Many requests for one model, decoded together into columns.

Most requests are alike: a sender spells all of them in one way. So the decoder learns layouts (`layout.py`), cuts
requests of a known layout with a few calls for all of them, and reads their elements as one JSON list. A request of no
layout goes the way of documents (`document_way.py`) when it is flat numbers, and the general way (`general_way.py`)
otherwise or when something is wrong with it. All ways give the same answers.

CPU time as a part of what a loop by hand with orjson and numpy takes, which checks nothing, with orjson alone and with
simdjson; of 512 requests with 30 numbers of 10 characters unless said otherwise (`python -m benchmarks.decoding`):

    one row, in any spelling              0.7    0.4    8 rows                       1.1    0.5
    with `outputs`                        0.8    0.4    8 rows, nested               1.2    0.7
    one of 512 wrong                      1.8    1.7    784 numbers                  1.1    0.4
    a new member in each request          2.0    1.8    a number and a string        0.3    0.2
    8 requests in a step                  1.8    1.7    one request in a step        2.3    2.1

What is fast: any order of members, any spaces, an id in plain text at any place, outputs named, several inputs, several
rows, and data nested as the shape says. What is not: base64, an id with escapes, members beside id, rows and data that
change from request to request (as above when there is one input of flat numbers), and all requests of models that are
not batched or have free dimensions. A step of less than 8 KiB is read one by one.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from penstock.core.decoding.document_way import DocumentWay, FlatRequest
from penstock.core.decoding.general_way import Decoded, GeneralWay
from penstock.core.decoding.layout_learning import LayoutLearner
from penstock.core.decoding.layout_shelf import LayoutShelf
from penstock.core.decoding.layout_way import Some, take
from penstock.core.decoding.number_parser import NumberParser, fastest_parser
from penstock.core.decoding.raw_rows import RawRows
from penstock.core.decoding.step import STEP, DecodedStep, Gathering
from penstock.core.model import Signature
from penstock.schemas.limits import Limits

__all__ = ["STEP", "Decoded", "DecodedStep", "RequestDecoder"]

_RUN_BYTES: Final = 256 * 1024  # of values read together, so that their copies stay in the processor's cache
_SMALL_BYTES: Final = 8 * 1024
_FEW: Final = 8  # requests that are read one by one sooner than by a layout


class RequestDecoder:
    """Decodes requests for one signature.

    Args:
        signature: the model's.
        limits: bounds on each request.
        parser: reads numbers; by default the fastest that is installed.
        small_bytes: up to so many bytes of values layouts cost more than they save, and are left out.
    """

    def __init__(
        self,
        signature: Signature,
        limits: Limits,
        *,
        parser: NumberParser | None = None,
        small_bytes: int = _SMALL_BYTES,
    ) -> None:
        self._small_bytes = small_bytes
        self._limits = limits
        self._general = GeneralWay(signature, limits)
        self._raw = RawRows(signature, limits, self._general)
        # Rows of different requests can lie in one array where their shape is fixed.
        self._columnar = signature.batched and all(dim > 0 for spec in signature.inputs for dim in spec.shape)
        self._documents = DocumentWay(signature, limits)
        learner = LayoutLearner(signature, limits.max_elements, self._general, parser or fastest_parser())
        self._shelf = LayoutShelf(learner)

    def decode(self, values: Sequence[bytes | None]) -> DecodedStep:
        """Decode up to `STEP` JSON requests."""
        gathering = Gathering(len(values))
        given = [value or b"" for value in values]
        size = sum(map(len, given))
        if size <= min(_RUN_BYTES, self._limits.max_bytes):
            self._decode_run(gathering, list(range(len(given))), given, size)
        else:
            for start, stop, part in self._runs(given):
                self._decode_run(gathering, list(range(start, stop)), given[start:stop], part)
        return gathering.step()

    def decode_raw(self, values: Sequence[bytes | None]) -> DecodedStep:
        """Decode up to `STEP` raw tensors."""
        return self._raw.decode(values)

    def _runs(self, values: list[bytes]) -> Iterator[tuple[int, int, int]]:
        """Cut values into runs to be read together: start, stop, bytes. One that is too large goes by itself."""
        most = min(_RUN_BYTES, self._limits.max_bytes)
        start = size = 0
        for place, length in enumerate(map(len, values)):
            if place > start and size + length > most:
                yield start, place, size
                start, size = place, 0
            size += length
        yield start, len(values), size

    def _decode_run(self, gathering: Gathering, places: list[int], values: list[bytes], size: int) -> None:
        if not self._columnar or size > self._limits.max_bytes:
            for place, value in zip(places, values, strict=True):
                gathering.add_single(place, self._general.read(value), common=False)
            return
        flat: list[FlatRequest] = []
        if size <= self._small_bytes:
            places, values = self._read_small(gathering, flat, places, values)
        if places:
            self._read_by_layouts(gathering, flat, places, values)
        if flat:
            self._convert(gathering, flat)

    def _read_small(
        self, gathering: Gathering, flat: list[FlatRequest], places: list[int], values: list[bytes]
    ) -> Some:
        """Read so little that a layout would cost more than it saves; return what is better read by layouts."""
        left: Some = [], []
        for place, value in zip(places, values, strict=True):
            request = self._documents.read(place, value)
            if request is not None:
                flat.append(request)
            else:
                left[0].append(place)
                left[1].append(value)
        if len(left[0]) > _FEW:
            return left
        for place, value in zip(*left, strict=True):
            self._read_general(gathering, place, value)
        return [], []

    def _read_by_layouts(
        self, gathering: Gathering, flat: list[FlatRequest], places: list[int], values: list[bytes]
    ) -> None:
        layouts = self._shelf.layouts()
        while places:
            for layout in layouts:
                places, values = take(gathering, self._shelf, layout, (places, values))
                if not places:
                    return
            learnt, read = None, 0
            for place, value in zip(places, values, strict=True):
                request = self._documents.read(place, value)
                if request is not None:
                    flat.append(request)
                else:
                    self._read_general(gathering, place, value)
                learnt, read = self._shelf.learn(value), read + 1
                if learnt is not None:
                    break
            places, values = places[read:], values[read:]
            layouts = () if learnt is None else (learnt,)

    def _read_general(self, gathering: Gathering, place: int, value: bytes) -> None:
        decoded = self._general.read(value)
        gathering.add_single(place, decoded, common=decoded.bound is not None)

    def _convert(self, gathering: Gathering, flat: list[FlatRequest]) -> None:
        """Convert what was read flat, together if that goes."""
        block = self._documents.block(flat)
        if block is not None:
            gathering.add([request.place for request in flat], block)
        elif len(flat) > 1:
            for request in flat:
                self._convert(gathering, [request])
        else:
            gathering.add_single(flat[0].place, self._general.read(flat[0].value), common=False)
