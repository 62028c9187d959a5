"""Rows 44 to 47, on a real control topic: a command that is refused is reported as such, and changes nothing.

The tests that hold each rule by itself, and those of rows 48 to 50, are named in `test_where.py`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from penstock.producer.control.control import Control
from penstock.schemas.control.command import SIGNATURE_HEADER, Command
from penstock.schemas.control.refusals import RefusalCode
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Key
from penstock.transport.control.appending import append
from penstock.transport.control.keys import trusted_key_table, write_private_key
from tests.schemas.control.writing import signed
from tests.support.adders import adders, commands, settled, worker
from tests.support.embedding import client
from tests.support.lane import Lane, new_lane

ANNA, STRANGER = Signer.generate("anna"), Signer.generate("stranger")
LATER = 1000  # sequence numbers
THROTTLE = {"resource": "throttle/global", "spec": {"rows_per_s": 7.0}}


@dataclass(frozen=True)
class Order:
    """A record of the control topic: the command that was accepted last, changed.

    Attributes:
        number, words: of the row of the table.
        code: why it is refused.
        changes: members of the command that are others.
        signer: who signs it.
        spoilt: its signature is of something else.
        rate: takes the place of the throttle's rate in the bytes that are signed.
    """

    number: int
    words: str
    code: RefusalCode
    changes: dict[str, Any] = field(default_factory=dict)
    signer: Signer = ANNA
    spoilt: bool = False
    rate: bytes = b"7.0"


ORDERS = [
    Order(44, "a signature of something else", RefusalCode.BAD_SIGNATURE, spoilt=True),
    Order(44, "an unknown key", RefusalCode.UNKNOWN_KEY, signer=STRANGER),
    Order(44, "a stranger who says he is anna", RefusalCode.BAD_SIGNATURE, signer=Signer("anna", bytes(32))),
    Order(44, "expired", RefusalCode.EXPIRED, {"expires": 1}),
    Order(44, "replayed", RefusalCode.OUT_OF_SEQUENCE, {"sequence": 0}),
    Order(44, "a lower sequence", RefusalCode.OUT_OF_SEQUENCE, {"sequence": -1}),
    Order(45, "another cluster", RefusalCode.WRONG_SERVICE, {"cluster": "another"}),
    Order(45, "another group", RefusalCode.WRONG_SERVICE, {"group": "another"}),
    Order(46, "an unknown kind", RefusalCode.UNSUPPORTED, {"resource": "shard/one"}),
    Order(46, "an unknown field", RefusalCode.UNSUPPORTED, {"colour": "red"}),
    Order(
        46, "an unknown field of its spec", RefusalCode.UNSUPPORTED, {**THROTTLE, "spec": {"rows_per_s": 7.0, "x": 1}}
    ),
    Order(47, "a throttle of -1", RefusalCode.BAD_SPEC, THROTTLE, rate=b"-1"),
    Order(47, "a throttle of NaN", RefusalCode.NO_COMMAND, THROTTLE, rate=b"NaN"),
    Order(47, "a throttle of 1e30", RefusalCode.BAD_SPEC, THROTTLE, rate=b"1e30"),
]


@dataclass(frozen=True)
class Commanded:
    """A worker that has followed a command, and who may command it."""

    lane: Lane
    control: Control
    last: Command

    async def append(self, order: Order) -> int:
        """Write an order and return its offset."""
        document = self.last.model_dump(exclude_none=True)
        document["sequence"] += LATER
        document |= order.changes
        if order.changes.get("sequence", 1) < 1:
            document["sequence"] = self.last.sequence + order.changes["sequence"]
        value = orjson.dumps(document).replace(b'"rows_per_s":7.0', b'"rows_per_s":' + order.rate)
        headers = dict(signed(value, order.signer))
        if order.spoilt:
            headers[SIGNATURE_HEADER] = dict(signed(value + b" ", ANNA))[SIGNATURE_HEADER][::-1]
        topic, options = f"{self.lane.group}-control", {"bootstrap_servers": self.lane.bootstrap}
        key = document["resource"].encode()
        return await append(options, topic, key=key, value=value, headers=list(headers.items()), timeout_s=10)


@pytest.fixture(scope="module")
async def commanded(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Commanded]:
    """A worker that trusts anna, and serves version 2 because she has said so."""
    folder = tmp_path_factory.mktemp("commanded")
    lane = await new_lane(bootstrap, "commanded")
    write_private_key(folder / "anna.key", ANNA)
    (folder / "trusted.toml").write_text(trusted_key_table("anna", Key(public=ANNA.public_hex, scopes=("*",))))
    keys = {"signing": "required", "trusted_keys": folder / "trusted.toml"}
    signing = {f"control__{name}": str(value) for name, value in keys.items()}
    async with (
        worker(lane, adders(folder / "adders"), **signing),
        commands(lane, **keys, key=folder / "anna.key") as control,
    ):
        await control.deploy("adder", "1")
        issued = await control.deploy("adder", "2")
        await settled(control, at=issued.offset)
        assert issued.command is not None
        yield Commanded(lane, control, issued.command)


@pytest.mark.parametrize("order", ORDERS, ids=[f"{order.number}: {order.words}" for order in ORDERS])
async def test_a_bad_command_is_refused_and_reported_and_what_is_wanted_stays(
    commanded: Commanded, order: Order
) -> None:
    (before,) = await commanded.control.status()
    offset = await commanded.append(order)
    (after,) = await settled(commanded.control, at=offset)

    assert [(each.offset, each.code) for each in after.refused][-1] == (offset, order.code)
    assert after.refused[-1].reason
    assert (after.digest, after.versions) == (before.digest, before.versions)


async def test_the_worker_serves_what_was_wanted_and_a_throttle_of_0_stops(commanded: Commanded) -> None:
    async with client(commanded.lane) as caller:
        assert (await caller.predict("adder", [[0.0]])).version == "2"
    issued = await commanded.control.throttle("tenant:nobody", 0)
    assert [ack.kind for ack in await commanded.control.wait(issued, timeout_s=20)] == ["applied"]
