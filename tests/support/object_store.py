"""A real S3 server on this machine, and what was asked of it."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import fsspec
from moto.server import ThreadedMotoServer

_REQUEST = re.compile(r"(?:\x1b\[\d+m)*([A-Z]+) (/[^ ?]*)(?:\?\S*)? HTTP")
_serial = count(1)


class ObjectStore(logging.Handler):
    """One bucket of the server; use `object_store` to start it.

    Attributes:
        asked: how often, by method and path, as ("GET", "/bucket-1/models/iris/1/model.onnx").
        variables: what a process needs to reach it.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.bucket = ""
        self.variables = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key-of-the-tests",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": host,
        }

    @property
    def url(self) -> str:
        """Of the repository."""
        return f"s3://{self.bucket}/models"

    @property
    def files(self) -> fsspec.AbstractFileSystem:
        """The objects, past everything of ours; needs the variables."""
        return fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)

    def new_bucket(self) -> None:
        """Begin anew with an empty one."""
        self.bucket = f"bucket-{next(_serial)}"
        self.files.mkdir(self.bucket)

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line of the server's access log."""
        if found := _REQUEST.search(record.getMessage()):
            self.asked[found[1], found[2]] += 1

    def downloads(self, path: str) -> int:
        """How often an object of the repository was read."""
        return self.asked["GET", f"/{self.bucket}/models/{path}"]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Start a server on a free port; it is gone afterwards."""
    log = logging.getLogger("werkzeug")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=True)
    server.start()
    store = ObjectStore(*server.get_host_and_port())
    log.addHandler(store)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield store
    finally:
        log.removeHandler(store)
        server.stop()
