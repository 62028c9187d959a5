"""What is on a service's topics, each kind of record with its key, headers and value, in AsyncAPI's words.

docs/wire.md says the same at length, for people.
"""

from typing import Any, Final

from penstock.schemas import headers as h
from penstock.schemas.control.command import KEY_HEADER, SIGNATURE_HEADER
from penstock.schemas.datatypes import DTYPES
from penstock.schemas.dead_letters import letter as d
from penstock.schemas.errors import ErrorCode

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"}
_TENSOR: Final[Schema] = {
    "name": _TEXT,
    "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 32},
    "datatype": {"type": "string", "enum": sorted(DTYPES)},
    "data": {"type": "array", "description": "Row-major; flat, or nested as shape says."},
}
_PROTOCOL: Final = "Open Inference Protocol v2"

SCHEMAS: Final[dict[str, Schema]] = {
    "Request": {
        "type": "object",
        "description": f"An inference request of the {_PROTOCOL}. Members that are not listed are passed over.",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"], "description": "Echoed in the body of the reply."},
            "inputs": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Tensor"}},
            "outputs": {
                "type": ["array", "null"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
                "description": "Outputs wanted; all where it is empty or absent.",
            },
        },
    },
    "Tensor": {"type": "object", "required": ["name", "shape", "datatype", "data"], "properties": _TENSOR},
    "Answer": {
        "type": "object",
        "description": f"An inference response of the {_PROTOCOL}.",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "id": {"type": "string", "description": "That of the request's body."},
            "model_name": _NAME,
            "model_version": _NAME,
            "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}},
        },
    },
    "AnyBytes": {"description": "The value of the request as it came; none where it would not fit."},
    "Error": {
        "type": "object",
        "description": "Why a request was not served.",
        "required": ["error", "code", "retryable"],
        "properties": {
            "error": {"type": "string", "description": "For a person; its wording may change."},
            "code": {"type": "string", "examples": [each.value for each in ErrorCode][:3]},
            "retryable": {"type": "boolean", "description": "Whether the same request may succeed if sent again."},
            "id": {"type": "string", "description": "That of the request's body."},
        },
    },
}


def _said(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


_SOURCE: Final = _said("topic/partition/offset of the request.")
_ECHO: Final = {h.ID: _said("The correlation id, as it came.")}
_EPOCH: Final = _said("Offset in the control topic that was in force.", pattern="^-?[0-9]+$")

_REQUEST_HEADERS: Final[dict[str, Schema]] = {
    h.ID: _said("Correlation id, any bytes; echoed."),
    h.MODEL: _said("The model; without it the service's default."),
    h.VERSION: _said("Pins a version; without it the one that serves."),
    h.OUTPUT: _said("The output that a raw reply is made of."),
    h.REPLY_TOPIC: _said("Where to answer, within what the service allows; without it the service's reply topic."),
    h.REPLY_PARTITION: _said("The partition to answer to.", pattern="^[0-9]+$"),
    h.TIMEOUT_MS: _said("Counts from the record's timestamp; what is older is not run.", pattern="^-?[0-9]+$"),
    h.TENANT: _said("Whose request it is, for quotas."),
    h.PRIORITY: _said("Read and checked.", pattern="^-?[0-9]+$"),
    h.SCHEMA: _said("Version of this wire format.", enum=[h.SCHEMA_VERSION]),
    d.REDRIVEN_FROM: _said("topic/partition/offset of the dead letter that it was."),
    d.REDRIVES: _said("How often it has been sent again since.", pattern="^[0-9]+$"),
    h.CONTENT_TYPE: _said("JSON where it is absent; the other is one tensor's bytes.", enum=[h.JSON_TYPE, h.RAW_TYPE]),
}
_LETTER_HEADERS: Final[dict[str, Schema]] = {
    h.REASON: _said("The code."),
    h.SOURCE: _SOURCE,
    "kafka_dlt-exception-message": _said("What is wrong, for a person."),
    "kafka_dlt-exception-fqcn": _said("penstock. and the code."),
    "kafka_dlt-original-topic": _said("Topic of the request."),
    "kafka_dlt-original-partition": _said("Its partition, 4 bytes, big-endian."),
    "kafka_dlt-original-offset": _said("Its offset, 8 bytes, big-endian."),
    "kafka_dlt-original-timestamp": _said("Its timestamp in milliseconds, 8 bytes, big-endian."),
    d.GROUP: _said("The group that gave it up."),
    d.DIGEST: _said("Equal for equal faults.", pattern="^[0-9a-f]{16}$"),
    d.MODEL: _said("name@version that failed, else as far as the request names one."),
    d.TIME: _said("When it was written, in epoch milliseconds.", pattern="^[0-9]+$"),
    d.ATTEMPTS: _said("How often the request has been tried.", pattern="^[0-9]+$"),
    d.PAYLOAD: _said("Whether the value is the request's.", enum=[d.KEPT, d.OMITTED]),
}
_SIGNED: Final[dict[str, Schema]] = {
    KEY_HEADER: _said("Id of the key that signed; not needed where signing is off."),
    SIGNATURE_HEADER: _said("Ed25519, in hexadecimal.", pattern="^[0-9a-f]{128}$"),
}


def messages() -> dict[str, Schema]:
    """Return the kinds of records by their names, as `components/messages` of an AsyncAPI 3.0 document."""
    reply = {h.SOURCE: _SOURCE, h.EPOCH: _EPOCH, h.CONTENT_TYPE: _said("Of the value."), **_ECHO}
    live = _said("On a shadow's answer: name@version that answered the request itself.")
    answer = {**reply, h.MODEL: _said("name@version that ran."), h.LIVE: live}
    later = _said("On THROTTLED: when to send it again, from now.", pattern="^[0-9]+$")
    error = {**reply, h.ERROR: _said("The code."), h.RETRY_AFTER_MS: later}
    any_bytes = "Any bytes; requests of one key on one partition are answered in order."
    same = "The key of the request."
    return {
        "request": _message("A request", "Request", _REQUEST_HEADERS, any_bytes),
        "answer": _message("The answer to a request", "Answer", answer, same, [h.SOURCE, h.MODEL]),
        "error": _message("Why a request has no answer", "Error", error, same, [h.SOURCE, h.ERROR]),
        "deadLetter": _message("A request that cannot be answered", "AnyBytes", _LETTER_HEADERS, same, [h.REASON]),
        "command": _message("What an operator wants of one resource", "Command", _SIGNED, "The resource, or none."),
        "snapshot": _message("The whole of what is wanted", "Snapshot", _SIGNED, "The word snapshot."),
        "status": _message("What a worker says of itself", "WorkerStatus", {}, "The worker's id."),
    }


def _message(
    title: str, schema: str, headers: dict[str, Schema], key: str, required: list[str] | None = None
) -> Schema:
    described: Schema = {
        "title": title,
        "contentType": h.JSON_TYPE,
        "payload": {"$ref": f"#/components/schemas/{schema}"},
        "bindings": {"kafka": {"key": _said(key), "bindingVersion": "0.5.0"}},
    }
    if headers:
        described["headers"] = {"type": "object", "properties": headers, "required": required or []}
    if h.ID in headers:
        where = f"$message.header#/{h.ID}"
        described["correlationId"] = {"location": where, "description": "The reply has that of the request."}
    return described
