"""JSON Schemas (2020-12) of what is on the control topic and the status topic, for clients in any language.

They are made from the models that read the records, and take what those take, but for what JSON Schema cannot say: that
no version, shadow or resource is there twice, and that 1.0 is no whole number.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from penstock.schemas.control.command import Command
from penstock.schemas.control.resources import PATTERN, Kind
from penstock.schemas.control.snapshot import Snapshot
from penstock.schemas.control.specs import SPECS
from penstock.schemas.control.status import WorkerStatus

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_DEFINED_HERE: Final = "#/$defs/"
_ROOTS: Final[dict[str, type[BaseModel]]] = {"command": Command, "status": WorkerStatus, "snapshot": Snapshot}


class _Plain(GenerateJsonSchema):
    """Without a title for every member: it would be its name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(name: str) -> Schema:
    """Return the JSON Schema of a record's value.

    Args:
        name: "command", "status" or "snapshot".

    Raises:
        KeyError: there is no such document.
    """
    root = _ROOTS[name]
    defined = _definitions([root], _DEFINED_HERE)
    return {"$schema": _DRAFT, "$id": f"urn:penstock:{name}:1", **defined.pop(root.__name__), "$defs": defined}


def definitions(place: str) -> dict[str, Schema]:
    """Return the schemas of all of them by their names, for a document that holds them elsewhere.

    Args:
        place: where in that document, as "#/components/schemas/".
    """
    return _definitions(list(_ROOTS.values()), place)


def _definitions(roots: Sequence[type[BaseModel]], place: str) -> dict[str, Schema]:
    wanted = [*roots] if roots == [WorkerStatus] else [*roots, *SPECS.values()]
    _, made = models_json_schema(
        [(each, "validation") for each in wanted], ref_template=place + "{model}", schema_generator=_Plain
    )
    defined: dict[str, Schema] = made["$defs"]
    if "Deployment" in defined:
        somebody_answers = {"properties": {"weight": {"exclusiveMinimum": 0}}}
        defined["Deployment"]["properties"]["versions"]["contains"] = somebody_answers
    if "Command" in defined:
        set_ = {"properties": {"action": {"const": "set"}}}
        rules = [_rule(kind, model, place, set_) for kind, model in SPECS.items()]
        removed = {"properties": {"spec": {"type": "null"}}}
        needs_spec = {"if": set_, "then": {"required": ["spec"]}, "else": removed}
        _tie(defined["Command"], [needs_spec, *rules])
    if "SnapshotEntry" in defined:
        there = {"required": ["spec"], "properties": {"spec": {"type": "object"}}}
        rules = [_rule(kind, model, place, there) for kind, model in SPECS.items()]
        of_deployments = {"properties": {"resource": {"pattern": f"^{Kind.DEPLOYMENT}/"}}}
        no_past: Schema = {"properties": {"past": {"maxItems": 0}}}
        _tie(defined["SnapshotEntry"], [*rules, {"if": of_deployments, "else": no_past}])
    return defined


def _tie(schema: Schema, rules: list[Schema]) -> None:
    """Tie the spec to the kind of the resource."""
    schema["properties"]["resource"]["pattern"] = PATTERN
    schema["allOf"] = rules


def _rule(kind: str, model: type[BaseModel], place: str, when: Schema) -> Schema:
    of_kind = {"properties": {"resource": {"pattern": f"^{kind}/"}}}
    spec = {"properties": {"spec": {"$ref": place + model.__name__}}}
    return {"if": {"allOf": [of_kind, when]}, "then": spec}
