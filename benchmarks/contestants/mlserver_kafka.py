"""MLServer's Kafka server around a custom runtime.

As https://docs.seldon.ai/mlserver/examples/kafka has it: `kafka_enabled` and two topics, `parallel_workers` 0, a
header `mlserver-model` on each request. The runtime is written as https://docs.seldon.ai/mlserver/user-guide/custom
has it, and runs ONNX Runtime on one thread. In its favour: adaptive batching is on, up to 64 requests or 1 ms
(https://docs.seldon.ai/mlserver/user-guide/adaptive-batching); without it, replies to a backlog time out in its
producer and are lost. Metrics are off, and the line of log for each request is not written. It takes in whatever is
there without bound, so a shorter backlog waits for it than for the others. One thing is not as MLServer ships it: its
consumer begins at the end of the topic, in no group, so that requests that were there before it started would never
be answered; here it begins at the start. It commits nothing. Checksums are checked, which is aiokafka's default.
"""

import asyncio
import socket
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from mlserver import MLModel, MLServer  # type: ignore[import-not-found]
from mlserver.codecs import NumpyCodec  # type: ignore[import-not-found]
from mlserver.kafka.server import KafkaServer  # type: ignore[import-not-found]
from mlserver.settings import ModelParameters, ModelSettings, Settings  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse  # type: ignore[import-not-found]

from benchmarks.contestants.answering import open_session
from benchmarks.contestants.options import Options, read_options


class OnnxModel(MLModel):  # type: ignore[misc]
    """The custom runtime."""

    async def load(self) -> bool:
        """Open the model at `parameters.uri`."""
        self._session = open_session(self.settings.parameters.uri)
        self._input = self._session.get_inputs()[0].name
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run one batch."""
        rows = NumpyCodec.decode_input(payload.inputs[0])
        labels, scores = self._session.run(None, {self._input: rows})
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            outputs=[
                NumpyCodec.encode_output("label", labels.reshape(-1, 1)),
                NumpyCodec.encode_output("probabilities", scores),
            ],
        )


def _create_clients(server: Any) -> None:
    server._consumer = AIOKafkaConsumer(
        server._settings.kafka_topic_input,
        bootstrap_servers=server._settings.kafka_servers,
        auto_offset_reset="earliest",
    )
    server._producer = AIOKafkaProducer(bootstrap_servers=server._settings.kafka_servers)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def serve(options: Options) -> None:
    """Serve until SIGTERM."""
    KafkaServer._create_server = _create_clients
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=_free_port(),
        grpc_port=_free_port(),
        metrics_endpoint=None,
        parallel_workers=0,
        kafka_enabled=True,
        kafka_servers=options.bootstrap,
        kafka_topic_input=options.requests,
        kafka_topic_output=options.replies,
        logging_settings={"version": 1, "loggers": {"mlserver": {"level": "WARNING"}}},
    )
    model = ModelSettings(
        name=options.name,
        implementation=OnnxModel,
        max_batch_size=64,
        max_batch_time=0.001,
        parameters=ModelParameters(uri=options.model),
    )
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(serve(read_options(__doc__)))
