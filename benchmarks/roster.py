"""Who is compared, and what each can do."""

from dataclasses import dataclass
from typing import Final

from benchmarks.workload import WORKLOADS

_ALL: Final = tuple(WORKLOADS)
_JSON: Final = ("tj", "vj")
_ONLY_ONCE: Final = "it reads no requests, so their form changes nothing; see the column in JSON"
_ONLY_JSON: Final = "its Kafka server parses every value as JSON"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One column of the comparison.

    Attributes:
        name: on the command line, and in the results.
        title: in tables and charts.
        module: in `benchmarks.contestants`; empty for Penstock.
        environment: of its own, by its file in `benchmarks/requirements/`; empty for ours, `.venv`.
        mode: for a module with several.
        workloads: those that it can serve.
        otherwise: why not the others.
        limit: a bound that no service can pass, rather than a service.
        echoes: its replies are the requests.
        in_kafka: False for what never sees a broker.
        headers: that its requests must carry; {model} is the model's name.
        packages: whose versions are told.
        share: of the requests that wait for the others; less for what takes in a backlog without bound.
        on_request: left out unless it is named.
    """

    name: str
    title: str
    module: str
    environment: str = ""
    mode: str = ""
    workloads: tuple[str, ...] = _ALL
    otherwise: str = ""
    limit: bool = False
    echoes: bool = False
    in_kafka: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ()
    share: float = 1.0
    on_request: bool = False


REFERENCE: Final = "expert"  # what each rate is divided by

# The loops on confluent-kafka stay in .venv: the lock of the tests pins that library, which the measuring side needs
# too, and onnxruntime, numpy and orjson are then the same files that Penstock uses.
_ROSTER: Final = (
    Contestant(
        "penstock",
        "Penstock",
        "",
        packages=("penstock-kafka", "aiokafka", "onnxruntime", "numpy", "pysimdjson", "orjson"),
    ),
    Contestant(
        "expert",
        "expert loop, pipelined",
        "expert",
        mode="pipelined",
        packages=("confluent-kafka", "onnxruntime", "numpy", "orjson"),
    ),
    Contestant("expert-flushed", "expert loop, flushed", "expert", mode="flushed", packages=("confluent-kafka",)),
    Contestant("aiokafka", "aiokafka, its docs' loop", "aiokafka_loop", "aiokafka", packages=("aiokafka",)),
    Contestant(
        "faststream", "FastStream, batches", "faststream_batch", "faststream", packages=("faststream", "aiokafka")
    ),
    Contestant(
        "mlserver",
        "MLServer, Kafka",
        "mlserver_kafka",
        "mlserver",
        workloads=_JSON,
        otherwise=_ONLY_JSON,
        headers=(("mlserver-model", "{model}"),),
        packages=("mlserver", "aiokafka", "uvloop"),
        share=0.25,
    ),
    Contestant(
        "quix",
        "Quix Streams",
        "quix_stream",
        "quix",
        packages=("quixstreams", "confluent-kafka"),
        on_request=True,
    ),
    Contestant(
        "bytewax", "Bytewax", "bytewax_flow", "bytewax", packages=("bytewax", "confluent-kafka"), on_request=True
    ),
    Contestant(
        "onnx",
        "ONNX Runtime alone",
        "onnx_alone",
        workloads=_JSON,
        otherwise=_ONLY_ONCE,
        limit=True,
        in_kafka=False,
        packages=("onnxruntime",),
    ),
    Contestant(
        "librdkafka-pass",
        "librdkafka, bytes passed on",
        "librdkafka_pass",
        limit=True,
        echoes=True,
        packages=("confluent-kafka",),
    ),
    Contestant(
        "aiokafka-pass",
        "aiokafka, bytes passed on",
        "aiokafka_pass",
        "aiokafka",
        limit=True,
        echoes=True,
        packages=("aiokafka",),
    ),
)

CONTESTANTS: Final = {each.name: each for each in _ROSTER}


def chosen(names: list[str] | None) -> list[Contestant]:
    """Return the contestants of these names, in the roster's order; without names all that need not be named."""
    return [each for each in _ROSTER if (each.name in names if names is not None else not each.on_request)]


def left_out(workloads: list[str], contestants: list[Contestant]) -> list[tuple[Contestant, str, str]]:
    """Return who cannot serve which workload, and why."""
    return [(who, each, who.otherwise) for who in contestants for each in workloads if each not in who.workloads]
