"""Control commands, as they stand in the control topic.

A record's key is the resource, its value the JSON of a `Command`, and two headers carry who signed it. The value is
never null: to remove a resource is a command too, so that it has an issuer, a reason and a signature.
"""

from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from penstock.schemas.control.refusals import CommandRefused, RefusalCode
from penstock.schemas.control.resources import Resource, parse_resource
from penstock.schemas.control.specs import SPECS, STRICT, Spec

COMMAND_V1: Final = "command/1"
KEY_HEADER: Final = "penstock-key"  # the id of the key that signed, UTF-8
SIGNATURE_HEADER: Final = "penstock-signature"  # Ed25519, 64 bytes in hexadecimal
MAX_COMMAND_BYTES: Final = 64 * 1024

Text = Annotated[str, StringConstraints(max_length=500)]
Millis = Annotated[int, Field(ge=0, le=2**53)]


class Command(BaseModel):
    """One order, about one resource."""

    model_config = STRICT

    penstock: Literal["command/1"] = Field(description="Kind and version of this document.")
    id: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="Made up by the issuer, never used again.")
    sequence: int = Field(
        ge=1, le=2**53, description="Of the resource: higher than that of the last command accepted for it."
    )
    cluster: str = Field(min_length=1, max_length=64, description="Kafka's id of the cluster it is for.")
    group: str = Field(min_length=1, max_length=249, description="The consumer group of the service it is for.")
    issuer: str = Field(min_length=1, max_length=128, description="Who asked for it, for people.")
    time: Millis = Field(description="When it was issued, epoch milliseconds by the issuer's clock.")
    expires: Millis = Field(description="It is void if the broker takes it in later, epoch milliseconds.")
    reason: Text = Field(default="", description="Why, for people.")
    resource: str = Field(max_length=512, description="What it is about, as 'deployment/iris'.")
    action: Literal["set", "remove"] = Field(description="remove takes no spec.")
    spec: dict[str, Any] | None = Field(default=None, description="What is wanted: the whole of it, not a change.")

    @property
    def about(self) -> Resource:
        """The resource, read."""
        return parse_resource(self.resource)

    def encode(self) -> bytes:
        """Return the value of its record."""
        return orjson.dumps(self.model_dump(exclude_none=True))


def decode_command(value: bytes | None) -> tuple[Command, Spec | None]:
    """Read a record's value, and the spec in it; None is what `remove` has.

    Raises:
        CommandRefused: NO_COMMAND, UNSUPPORTED or BAD_SPEC.
    """
    if not value or len(value) > MAX_COMMAND_BYTES:
        what = f"{len(value)} bytes; a command has at most {MAX_COMMAND_BYTES}" if value else "the record has no value"
        raise CommandRefused(RefusalCode.NO_COMMAND, what)
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise CommandRefused(RefusalCode.NO_COMMAND, f"not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("penstock"), str):
        raise CommandRefused(RefusalCode.NO_COMMAND, "no object with a member 'penstock'")
    if document["penstock"] != COMMAND_V1:
        raise CommandRefused(RefusalCode.UNSUPPORTED, f"{document['penstock'][:64]!r} is not {COMMAND_V1!r}")
    try:
        command = Command.model_validate(document)
    except ValidationError as error:
        raise refusal(error, RefusalCode.NO_COMMAND) from None
    try:
        about = command.about
    except ValueError as error:
        raise CommandRefused(RefusalCode.UNSUPPORTED, str(error)) from None
    if (command.action == "remove") != (command.spec is None):
        raise CommandRefused(RefusalCode.BAD_SPEC, "set needs a spec, and remove takes none")
    return command, None if command.spec is None else read_spec(about, command.spec)


def read_spec(about: Resource, spec: dict[str, Any]) -> Spec:
    """Read what is wanted of a resource.

    Raises:
        CommandRefused: UNSUPPORTED or BAD_SPEC.
    """
    try:
        return SPECS[about.kind].model_validate(spec)
    except ValidationError as error:
        raise refusal(error, RefusalCode.BAD_SPEC) from None


def refusal(error: ValidationError, code: RefusalCode) -> CommandRefused:
    """Return the refusal of what a model did not take: with a code, or UNSUPPORTED where it has fields of its own."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if any(fault["type"] == "extra_forbidden" for fault in faults):
        code = RefusalCode.UNSUPPORTED
    lines = [f"{'.'.join(map(str, fault['loc'])) or 'spec'}: {fault['msg']}" for fault in faults]
    return CommandRefused(code, "; ".join(lines)[:500])
