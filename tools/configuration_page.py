"""The text of docs/configuration.md, made from the settings' own definitions."""

import re
import types
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from penstock.consumer.settings import ServiceSettings
from penstock.core.configuration import fields_of, is_secret, load
from penstock.core.setting_sources import variable_of
from penstock.schemas.errors import ConfigurationError

_NO_PROSE: Final = re.compile(r"\S*[<*](?:\S*[^\s.,;:])?")  # a word, without what ends its sentence
_UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


class Rule(NamedTuple):
    """What a validator holds a setting to, which its field does not say.

    Attributes:
        text: for the page.
        broken_by: settings by `section.name` that break it, for the test; none where it is not checked at the start.
    """

    text: str
    broken_by: Mapping[str, object] = types.MappingProxyType({})


_SASL: Final = Rule(
    "Required with `SASL_PLAINTEXT` and `SASL_SSL`, refused with the other protocols.",
    {"kafka.security_protocol": "SASL_PLAINTEXT"},
)
_PAIR: Final = "The certificate and its key go together. Refused unless the protocol is `SSL` or `SASL_SSL`."
_TOPIC: Final = "1 to 249 letters, digits, `.`, `_` and `-`"

RULES: Final[Mapping[str, Rule]] = {
    "kafka.bootstrap_servers": Rule(
        "Each one is `host:port`; an IPv6 address stands in brackets.", {"kafka.bootstrap_servers": "localhost"}
    ),
    "kafka.sasl_username": _SASL,
    "kafka.sasl_password": _SASL,
    "kafka.tls_ca_file": Rule(
        "Refused unless the protocol is `SSL` or `SASL_SSL`. Names of hosts are always checked.",
        {"kafka.tls_ca_file": __file__},
    ),
    "kafka.tls_cert_file": Rule(_PAIR, {"kafka.security_protocol": "SSL", "kafka.tls_cert_file": __file__}),
    "kafka.tls_key_file": Rule(_PAIR, {"kafka.security_protocol": "SSL", "kafka.tls_key_file": __file__}),
    "kafka.tls_key_password": Rule(
        "Refused without `kafka.tls_key_file`.", {"kafka.security_protocol": "SSL", "kafka.tls_key_password": "x"}
    ),
    "worker.request_topics": Rule(f"{_TOPIC} each; none twice.", {"worker.request_topics": "a,a"}),
    "worker.reply_topic": Rule(f"{_TOPIC}. Not a request topic.", {"worker.reply_topic": "requests"}),
    "worker.dead_letter_topic": Rule(
        f"{_TOPIC}. Neither a request topic nor the reply topic.", {"worker.dead_letter_topic": "replies"}
    ),
    "worker.allowed_reply_topics": Rule(
        "Request topics and their dead-letter topics are never allowed, whatever the patterns say.",
    ),
    "worker.session_timeout_s": Rule("The broker has bounds of its own: 6 to 1800 seconds by default."),
    "worker.heartbeat_interval_s": Rule(
        "Less than a third of `worker.session_timeout_s`.", {"worker.heartbeat_interval_s": 5}
    ),
    "worker.max_reply_bytes": Rule("A record batch of replies may have 1024 bytes more: keep that below it too."),
    "models.repository": Rule(
        "A URL may not hold a password.", {"models.repository": "ftp://user:password@example.com/models"}
    ),
    "models.load": Rule("Names of folders in the repository.", {"models.load": "../a"}),
    "models.default": Rule(
        "One of `models.load`, where that is set.", {"models.load": "iris", "models.default": "digits"}
    ),
    "http.port": Rule("With several worker processes the second takes the next port, and so on."),
}

EXAMPLE: Final = """\
[kafka]
bootstrap_servers = ["kafka-1:9092", "kafka-2:9092"]

[worker]
request_topics = ["requests"]
reply_topic = "replies"
group_id = "predictions"
processes = 2

[models]
repository = "models"
default = "iris"
"""

_FAULTY: Final = {
    "PENSTOCK_WORKER__GROUPID": "predictions",
    "PENSTOCK_BATCHING__MAX_ROWS": "many",
    "PENSTOCK_MODELS__REPOSITORY": "models",
}


def page() -> str:
    """Return the whole page."""
    lead = (Path(__file__).parent / "configuration_lead.md").read_text()
    texts = {"example": EXAMPLE, "faults": _faults(), "set": _as_shell(_FAULTY)}
    for name, text in texts.items():
        lead = lead.replace(f"{{{name}}}", text.rstrip())
    return "\n".join([lead.rstrip(), *_sections(), *_whole_file()]) + "\n"


def _faults() -> str:
    """Return what a person is told of faulty settings."""
    try:
        load(ServiceSettings, environ=_FAULTY)
    except ConfigurationError as error:
        return f"penstock: {error}"
    raise AssertionError("these settings are meant to be faulty")


def _as_shell(variables: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={value}" for name, value in variables.items())


def _sections() -> Iterator[str]:
    section = ""
    for key, field in fields_of(ServiceSettings):
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            kind = ServiceSettings.model_fields[section].annotation
            yield f"\n## [{section}]\n\n{(kind.__doc__ or '').strip()}"
        yield f"\n### {key}\n\n{_prose(field.description or '')}\n"
        if field.is_required():
            yield "- required"
        yield f"- type: {type_of(key, field)}"
        if not field.is_required():
            yield f"- default: {_default(field)}"
        yield f"- variable: `{variable_of(key)}`"
        if key in RULES:
            yield f"- note: {RULES[key].text}"


def _prose(description: str) -> str:
    """Mark as code what Markdown would take for emphasis or for a tag."""
    return _NO_PROSE.sub(r"`\g<0>`", description)


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return "not set"
    size = _size(field.default)
    return f"`{_toml(field.default)}`{f' ({size})' if size else ''}"


def _size(value: object) -> str | None:
    """Return a whole number of KiB, MiB or GiB in words; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        for unit, name in _UNITS:
            if value >= unit and value % unit == 0:
                return f"{value // unit} {name}"
    return None


def _toml(value: object) -> str:
    """Write a default as it stands in a TOML file."""
    plain = to_jsonable_python(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, list):
        return f"[{', '.join(map(_toml, plain))}]"
    return f'"{plain}"' if isinstance(plain, str) else f"{plain:g}" if isinstance(plain, float) else str(plain)


def type_of(key: str, field: FieldInfo) -> str:
    """Say in plain words what a setting takes."""
    kind = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(f'`{choice}`' for choice in get_args(kind))}"
    if get_origin(kind) is tuple:
        return "list of text" + (", at least one" if _bound(field, "min_length") else "")
    if get_origin(kind) is Annotated:  # the one use is a path that is looked at
        return "path of a file that exists"
    words = {bool: "true or false", Path: "path", str: "text", SecretStr: "text", Path | str: "path or URL"}
    if kind in words:
        return words[kind] + _length(field) + (", secret: never shown" if is_secret(field) else "")
    unit = " of seconds" if key.endswith("_s") else " of bytes" if key.endswith("_bytes") else ""
    return ("whole number" if kind is int else "number") + unit + _range(field)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (types.UnionType, Union):
        return reduce(or_, (kind for kind in get_args(annotation) if kind is not type(None)))
    return annotation


def _length(field: FieldInfo) -> str:
    pattern, least, most = (_bound(field, name) for name in ("pattern", "min_length", "max_length"))
    if pattern:
        return f" that matches `{pattern}`"
    if least and most:
        return f", {least} to {most} characters"
    return ", not empty" if least else ""


def _range(field: FieldInfo) -> str:
    above, least, below, most = (_bound(field, name) for name in ("gt", "ge", "lt", "le"))
    if least is not None and most is not None:
        return f", {_toml(least)} to {_toml(most)}"
    said = [("above", above), ("at least", least), ("below", below), ("at most", most)]
    words = [f"{word} {_toml(bound)}" for word, bound in said if bound is not None]
    return f", {' and '.join(words)}" if words else ""


def _bound(field: FieldInfo, name: str) -> Any:
    """Return the value of a constraint by pydantic's name for it, None where there is none."""
    found = (getattr(each, name, None) for each in field.metadata)
    return next((value for value in found if value is not None), None)


def _whole_file() -> Iterator[str]:
    yield "\n## Every setting, as a file\n\nThe defaults; what is required or not set is commented out.\n\n```toml"
    section = ""
    for key, field in fields_of(ServiceSettings):
        before, _, name = key.partition(".")
        if before != section:
            yield f"{'' if not section else chr(10)}[{before}]"
            section = before
        if field.is_required():
            yield f"# {name} = ...  # required"
        elif field.default is None:
            yield f"# {name} = ..."
        else:
            yield f"{name} = {_toml(field.default)}"
    yield "```"
