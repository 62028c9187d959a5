"""What a control command is about: one resource, written `kind/name`.

deployment/iris          which versions of a model serve, with which weights
throttle/tenant:acme     how many rows a second a scope may have: global, model:NAME, tenant:NAME, lane:TOPIC
lane/requests            whether a request topic is read, and its weight among the others
key/anna                 a public key that may sign commands
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_TENANT: Final = re.compile(r"[^\x00-\x20\x7f]{1,128}")


class Kind(StrEnum):
    """The kinds of resources."""

    DEPLOYMENT = "deployment"
    THROTTLE = "throttle"
    LANE = "lane"
    KEY = "key"


PATTERN: Final = (  # of a resource, for who writes a command in another language
    rf"^(?:(?:deployment|key)/{_NAME.pattern}|lane/{_TOPIC.pattern}|throttle/"
    rf"(?:global|model:{_NAME.pattern}|tenant:{_TENANT.pattern}|lane:{_TOPIC.pattern}))$"
)
_KINDS: Final = frozenset(each.value for each in Kind)


class Resource(NamedTuple):
    """A kind and a name."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value}/{self.name}"


class Scope(NamedTuple):
    """Whom a throttle concerns.

    Attributes:
        kind: global, model, tenant or lane.
        name: of the model, tenant or request topic; empty for global.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


GLOBAL: Final = Scope("global", "")


def parse_resource(text: str) -> Resource:
    """Read a resource.

    Raises:
        ValueError: there is no such kind, or the name is none.
    """
    kind, slash, name = text.partition("/")
    if not slash or kind not in _KINDS:
        raise ValueError(f"{text[:64]!r} is no resource: {', '.join(f'{each.value}/NAME' for each in Kind)}")
    if kind == Kind.THROTTLE:
        parse_scope(name)
    elif not (_TOPIC if kind == Kind.LANE else _NAME).fullmatch(name):
        raise ValueError(f"{name[:64]!r} is no name of a {kind}")
    return Resource(Kind(kind), name)


def parse_scope(text: str) -> Scope:
    """Read the scope of a throttle.

    Raises:
        ValueError: it is none.
    """
    kind, _, name = text.partition(":")
    legal = {"model": _NAME, "tenant": _TENANT, "lane": _TOPIC}.get(kind)
    if text == str(GLOBAL):
        return GLOBAL
    if legal is None or not legal.fullmatch(name):
        raise ValueError(f"{text[:64]!r} is no scope: global, model:NAME, tenant:NAME or lane:TOPIC")
    return Scope(kind, name)
