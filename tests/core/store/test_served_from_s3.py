"""A service whose models are on S3."""

from pathlib import Path

from penstock import Client
from penstock.core.store.publishing import open_writer, publish
from tests.support.lane import Lane
from tests.support.object_store import ObjectStore
from tests.support.worker_process import WorkerProcess, variables


async def test_worker_processes_serve_a_model_from_s3_and_download_it_once(
    s3: ObjectStore, lane: Lane, doubler: Path, tmp_path: Path
) -> None:
    publish(open_writer(s3.url), "doubler", doubler)
    settings = {"models__cache": tmp_path / "cache", "worker__processes": 2, "http__enabled": "false"}
    environment = variables(lane, s3.url, "doubler", **settings)  # type: ignore[arg-type]
    async with (
        WorkerProcess(tmp_path / "worker.log", environment),
        Client(lane.bootstrap, request_topic=lane.requests, reply_topic=lane.replies) as client,
    ):
        prediction = await client.predict("doubler", [[1.0, 2.0, 3.0]], timeout_s=60.0)
    assert prediction.version == "1"
    assert prediction.outputs["y"].tolist() == [[2.0, 4.0, 6.0]]
    assert s3.downloads("doubler/1/model.onnx") == 1
