"""Signatures of commands: what they are over, and that nothing else passes for one."""

import subprocess
import sys

import pytest

from penstock.schemas.control.command import KEY_HEADER, SIGNATURE_HEADER, Command
from penstock.schemas.control.signing import Signer, canonical, verify
from penstock.schemas.errors import PenstockError
from tests.schemas.control.writing import IRIS, document

COMMAND = Command.model_validate(document("deployment/iris", IRIS, 7))
# RFC 8032, 7.1, test 2.
PRIVATE = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_what_is_signed_is_a_line_for_each_fact():
    assert canonical(COMMAND, b"abc") == (
        b"penstock-control/1\ncluster-1\niris-service\ncommand-1\n7\n10000\n"
        b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_signatures_are_those_of_the_rfc():
    signer = Signer("anna", PRIVATE)
    assert signer.public_hex == PUBLIC
    assert signer.sign_message(b"\x72") == [(KEY_HEADER, b"anna"), (SIGNATURE_HEADER, SIGNATURE.hex().encode())]
    assert verify(PUBLIC, SIGNATURE, b"\x72")


@pytest.mark.parametrize(
    ("public", "signature", "message"),
    [
        (PUBLIC, SIGNATURE, b"\x73"),
        (PUBLIC, SIGNATURE[:-1] + b"\x01", b"\x72"),
        (PUBLIC, SIGNATURE[:-1], b"\x72"),
        (PUBLIC, b"", b"\x72"),
        ("00" * 32, SIGNATURE, b"\x72"),
        ("ff" * 32, SIGNATURE, b"\x72"),
    ],
    ids=["message", "signature", "short", "empty", "other key", "no point of the curve"],
)
def test_what_differs_by_one_byte_does_not_fit(public, signature, message):
    assert not verify(public, signature, message)


def test_a_new_key_is_another_one_each_time_and_can_be_kept():
    first, second = Signer.generate("anna"), Signer.generate("anna")
    assert first.public_hex != second.public_hex
    assert Signer("anna", first.private_bytes).public_hex == first.public_hex


def test_a_key_of_another_length_is_told():
    with pytest.raises(PenstockError, match="32 bytes; there are 31"):
        Signer("anna", bytes(31))


def test_without_cryptography_the_error_says_what_to_install():
    program = """
import sys
sys.modules["cryptography"] = None
from penstock.schemas.control.fold import Fold
from penstock.schemas.control.signing import Signer
from penstock.schemas.errors import PenstockError
try:
    Signer.generate("anna")
except PenstockError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'penstock-kafka[control]'" in ran.stdout
