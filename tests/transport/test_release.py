"""Which release of Kafka a broker is."""

from types import SimpleNamespace

import pytest
from aiokafka.protocol.types import UnsignedVarInt32

from penstock.transport.release import release_of


def answer(**features: int) -> SimpleNamespace:
    """A broker's answer with the highest level that it supports of each feature."""
    encoded = UnsignedVarInt32.encode(len(features) + 1)
    for name, highest in features.items():
        spelt = name.replace("_", ".").encode()
        encoded += UnsignedVarInt32.encode(len(spelt) + 1) + spelt
        encoded += (1).to_bytes(2, "big") + highest.to_bytes(2, "big") + b"\x00"
    return SimpleNamespace(tags={0: encoded} if features else {})


@pytest.mark.parametrize(
    ("level", "release"),
    [
        (7, "3.3"),
        (10, "3.5"),
        (11, "3.5"),
        (21, "3.9"),
        (22, "4.0"),
        (25, "4.0"),
        (27, "4.1"),
        (29, "4.2"),
        (30, "4.3"),
    ],
)
def test_level_of_the_metadata_belongs_to_a_release(level: int, release: str):
    assert release_of(answer(group_version=1, metadata_version=level)) == release


def test_level_of_a_release_to_come_is_newer():
    assert release_of(answer(metadata_version=99)) == "newer than 4.3"


@pytest.mark.parametrize("response", [answer(), answer(group_version=1)])
def test_broker_that_does_not_tell_has_no_release(response: SimpleNamespace):
    assert release_of(response) is None
