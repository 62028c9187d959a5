"""What a command wants of its resource."""

from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from penstock.schemas.control.resources import Kind

STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

VersionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]


class WeightedVersion(BaseModel):
    """A version that answers, and how much of the traffic it gets."""

    model_config = STRICT

    version: VersionName = Field(description="A version, 'latest', or an alias of the repository.")
    weight: float = Field(
        default=1.0, ge=0.0, le=1e6, description="Its part of the sum of all weights; 0 serves who asks for it by name."
    )


class Shadow(BaseModel):
    """A version that gets copies of requests, and whose answers nobody waits for."""

    model_config = STRICT

    version: VersionName = Field(description="A version, 'latest', or an alias of the repository.")
    share: float = Field(default=1.0, gt=0.0, le=1.0, description="Part of the requests that it gets a copy of.")
    topic: TopicName | None = Field(default=None, description="Where its answers go; None is the service's own topic.")


class Batching(BaseModel):
    """How requests of a model are gathered; None leaves it to the worker's settings."""

    model_config = STRICT

    max_rows: int | None = Field(default=None, ge=1, le=65_536, description="The most rows in one batch.")
    max_delay_s: float | None = Field(
        default=None, ge=0.0, le=10.0, description="Seconds to wait for more rows while the model is idle."
    )


class Deployment(BaseModel):
    """Which versions of a model serve."""

    model_config = STRICT

    versions: tuple[WeightedVersion, ...] = Field(
        min_length=1, max_length=16, description="Those that answer, each once; not all of weight 0.", strict=False
    )
    salt: str = Field(default="", max_length=64, description="Changes which keys get which version.")
    shadows: tuple[Shadow, ...] = Field(default=(), max_length=4, description="Those that get copies.", strict=False)
    batching: Batching = Field(default=Batching(), description="How its requests are gathered.")
    not_finite: Literal["pass", "refuse"] = Field(
        default="pass", description="What becomes of an answer with NaN or infinity: refused, it is BAD_OUTPUT."
    )
    signature_may_change: bool = Field(
        default=False, description="Whether inputs and outputs may differ from those of the versions that serve."
    )

    @model_validator(mode="after")
    def _versions_make_sense(self) -> Self:
        named = [each.version for each in self.versions]
        if len(set(named)) < len(named):
            raise ValueError("a version is there twice")
        if not any(each.weight for each in self.versions):
            raise ValueError("every weight is 0: nobody would answer")
        if len({each.version for each in self.shadows}) < len(self.shadows):
            raise ValueError("a shadow is there twice")
        return self


class Throttle(BaseModel):
    """How many rows a second the workers of a service, all together, let a scope have."""

    model_config = STRICT

    rows_per_s: float = Field(ge=0.0, le=1e9, description="Rows a second; 0 stops the scope.")
    burst: float | None = Field(
        default=None, ge=0.0, le=1e9, description="Rows that may come at once after a rest; None is a second's worth."
    )
    on_excess: Literal["delay", "reject"] = Field(
        default="delay", description="What is over the rate waits, or is answered THROTTLED."
    )


class Lane(BaseModel):
    """Whether a request topic is read."""

    model_config = STRICT

    state: Literal["running", "paused", "draining"] = Field(
        default="running", description="draining serves what is there when the command is read, and then pauses."
    )
    weight: int = Field(default=1, ge=1, le=1000, description="Its part of the worker where several lanes are full.")


class Key(BaseModel):
    """A public key that may sign commands."""

    model_config = STRICT

    public: str = Field(pattern=r"^[0-9a-f]{64}$", description="Ed25519, 32 bytes in hexadecimal.")
    scopes: tuple[Annotated[str, StringConstraints(min_length=1, max_length=128)], ...] = Field(
        min_length=1,
        max_length=32,
        description="Resources that it may change, as 'throttle/*'; * is any text.",
        strict=False,
    )

    def may_change(self, resource: str) -> bool:
        """Tell whether the key's scopes have a resource."""
        return any(_has(scope, resource) for scope in self.scopes)

    def may_grant(self, scope: str) -> bool:
        """Tell whether a scope has nothing that the key's own scopes, one of them, have not.

        A pattern that takes the text of another one takes all that this takes, as long as `*` is the only wildcard.
        """
        return any(_has(own, scope) for own in self.scopes)


def _has(scope: str, text: str) -> bool:
    # Names of tenants may have ? and [, and only * stands for something else.
    return fnmatchcase(text, scope.replace("[", "[[]").replace("?", "[?]"))


Spec = Deployment | Throttle | Lane | Key

SPECS: Final[dict[Kind, type[Deployment] | type[Throttle] | type[Lane] | type[Key]]] = {
    Kind.DEPLOYMENT: Deployment,
    Kind.THROTTLE: Throttle,
    Kind.LANE: Lane,
    Kind.KEY: Key,
}
