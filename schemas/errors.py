"""What can go wrong, split by who must act.

    client input  -> RequestError      answered with an error reply that carries its code
    the model     -> ModelError        answered likewise; the operator sees it in the metrics
    the transport -> TransportError    Kafka is unreachable, refuses, or is too slow
    the operator  -> ConfigurationError, before anything is served

`ServiceError` is how the client library raises an error reply that a worker sent.
"""

from enum import StrEnum
from typing import Final, TypeVar

from penstock.schemas.dead_letters.digest import keep_frames


class ErrorCode(StrEnum):
    """The closed list of codes an error reply or a dead letter may carry."""

    BAD_REQUEST = "BAD_REQUEST"  # not a request at all: empty, or members missing
    BAD_ENCODING = "BAD_ENCODING"  # not UTF-8, not JSON, broken base64
    BAD_VALUE = "BAD_VALUE"  # a number or string the datatype cannot hold
    BAD_NAME = "BAD_NAME"  # a model or version name with forbidden characters
    BAD_INPUT = "BAD_INPUT"  # an input missing, unknown or given twice
    BAD_DTYPE = "BAD_DTYPE"  # another datatype than the model's
    BAD_SHAPE = "BAD_SHAPE"  # wrong rank or dimensions, or data that does not fill them
    BAD_OUTPUT = "BAD_OUTPUT"  # the model answered NaN or infinity
    TOO_LARGE = "TOO_LARGE"  # over a limit on bytes, elements or headers
    TOO_COMPLEX = "TOO_COMPLEX"  # nested too deep, or a number too long
    UNSUPPORTED = "UNSUPPORTED"  # unknown content type, schema version or feature
    AMBIGUOUS_HEADER = "AMBIGUOUS_HEADER"  # two headers that disagree
    UNKNOWN_MODEL = "UNKNOWN_MODEL"  # no such model here
    VERSION_GONE = "VERSION_GONE"  # the model is here, the pinned version is not
    EXPIRED = "EXPIRED"  # the deadline passed before the model ran
    MODEL_FAILED = "MODEL_FAILED"  # the model raised
    UNAVAILABLE = "UNAVAILABLE"  # the model cannot answer for now, and was waited for
    POISON = "POISON"  # the model's process died of it, twice; a dead letter too
    THROTTLED = "THROTTLED"  # over the rate that an operator has set
    REPLY_TOO_LARGE = "REPLY_TOO_LARGE"  # the answer does not fit the reply topic
    # The next ones never reach a reply topic: they are reasons of dead letters.
    REPLY_FORBIDDEN = "REPLY_FORBIDDEN"  # reply topic outside the allow-list
    REPLY_UNKNOWN = "REPLY_UNKNOWN"  # reply topic or partition does not exist
    UNREADABLE = "UNREADABLE"  # the record itself cannot be read


RETRYABLE: Final = frozenset({ErrorCode.EXPIRED, ErrorCode.UNAVAILABLE, ErrorCode.THROTTLED})
"""Codes after which the same request may succeed when it is sent again."""


_E = TypeVar("_E", bound=BaseException)


def without_frames(error: _E, *, noted: bool = False) -> _E:
    """Return an error that is to be kept, without what Python hangs on it when it is raised.

    Its traceback holds every function on the way, their callers too, and all that they work on: a whole fetch, which
    holds the error in turn and would be gone only when the garbage collector comes.

    Args:
        error: that was raised.
        noted: the names of its frames stay on it, for the digest of a dead letter.
    """
    if noted:
        keep_frames(error)
    raised: BaseException | None = error
    while raised is not None:
        raised.__traceback__ = raised.__context__ = None
        raised = raised.__cause__
    return error


class PenstockError(Exception):
    """The base of every error that Penstock raises on purpose.

        try:
            prediction = await client.predict("iris", rows)
        except ServiceError as error:      # the service answered: error.code says what
            ...
        except RequestTimeout:             # nobody answered in time
            ...
        except PenstockError as error:     # Kafka, or the settings
            ...

    Its text is for a person: what happened, and what to do.
    """


class RequestError(PenstockError):
    """A request that cannot be served; becomes an error reply.

    Attributes:
        code: one of `ErrorCode`.
        message: for the person who sent the request; never holds payload.
        retry_after_s: when the same request may succeed, in seconds; None when nobody knows.
        model: `name@version` that failed; None where none ran. For whoever looks into it, not for the sender.
    """

    def __init__(self, code: ErrorCode, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        self.model: str | None = None

    def __repr__(self) -> str:
        return f"RequestError({self.code.value}: {self.message})"


class ModelError(PenstockError):
    """A model that cannot be loaded, warmed up or run."""


class ValueRefused(ModelError):
    """The model cannot take the values of a row: an index beyond its table, say. The request is at fault."""


class ModelCrashed(ModelError):
    """The process of a model died while it ran a batch, or was ended because it gave no answer in time.

    Attributes:
        status: its exit status, negative for the number of a signal; None when it was ended.
    """

    def __init__(self, text: str, status: int | None) -> None:
        super().__init__(text)
        self.status = status


class TransientModelError(ModelError):
    """The model cannot answer for now, whatever it is asked; raised by its own code, for what it needs is away.

        def predict(inputs):
            try:
                features = store.get(inputs["customer"])
            except StoreAway as error:
                raise TransientModelError("the feature store is away") from error

    The batch is tried again for `models.retry_budget_s` seconds, and nothing of the model overtakes it.
    """


class ModelDown(TransientModelError):
    """The process of a model cannot be started again, so that no batch of it can run now."""


class TransportError(PenstockError):
    """Kafka could not be reached, or refused, within the deadline."""


class RequestTimeout(TransportError):
    """No reply came within the caller's timeout. The request may still be served."""


class ClientClosed(TransportError):
    """The client was closed while the call was in flight, or before it began."""


class ConfigurationError(PenstockError):
    """Settings that cannot work; raised at start, with every fault found."""


class ServiceError(PenstockError):
    """A worker answered with an error reply.

        except ServiceError as error:
            if error.code == "UNKNOWN_MODEL": ...

    Attributes:
        code: the service's code, an `ErrorCode` value or one of a newer service.
        message: the service's explanation.
        retryable: whether sending the same request again may succeed.
        retry_after_s: when that makes sense, in seconds; None when the service did not say.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_s = retry_after_s
