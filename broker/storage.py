"""The data folder of a cluster: what it says about itself, and whose it is.

``cluster.json`` is ours: the identity of the cluster and, where it is secured, its users. Each node has a
folder of its own beside it, ``node-1`` and so on, with Kafka's data in ``kafka``, its properties and its log.
"""

import base64
import contextlib
import fcntl
import json
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from penstock.broker.cache import write_atomically
from penstock.broker.errors import BrokerError, DataFolderError
from penstock.broker.properties import ADMIN, Passwords, parse

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_PASSWORD = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Who a cluster is; ``users`` maps names to passwords and is empty where nobody has to authenticate."""

    cluster_id: str
    nodes: int
    secure: bool
    users: dict[str, str] = field(default_factory=dict, repr=False)
    controller_password: str = field(default="", repr=False)

    @property
    def passwords(self) -> Passwords | None:
        """What the nodes present to each other, None where nobody has to."""
        if not self.secure:
            return None
        return Passwords(admin=self.users[ADMIN], controller=self.controller_password)


def new_cluster(nodes: int, cluster_id: str | None, secure: bool, users: Mapping[str, str]) -> Cluster:
    """Return a cluster that doesn't exist yet, with an admin of its own where it is secured.

    Raises:
        BrokerError: a name or password that a properties file or a command line would not carry.
    """
    for name, password in users.items():
        if not (_NAME.fullmatch(name) and _PASSWORD.fullmatch(password)):
            raise BrokerError(f"user {name!r}: name and password take letters, digits and . _ - (up to 100)")
    known = {ADMIN: secrets.token_urlsafe(18), **users} if secure else {}
    return Cluster(
        cluster_id=cluster_id or random_id(),
        nodes=nodes,
        secure=secure,
        users=known,
        controller_password=secrets.token_urlsafe(18) if secure else "",
    )


def random_id() -> str:
    """Return a fresh id as Kafka writes them: 16 bytes in URL-safe base64 without padding."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Kafka's tools would read a leading dash as an option.
        if not text.startswith("-"):
            return text


def open_cluster(folder: Path, wanted: Cluster, *, cluster_id: str | None) -> Cluster:
    """Return the cluster in ``folder``, or write ``wanted`` there where the folder is empty or missing.

    Args:
        folder: the data folder.
        wanted: what to create; an existing cluster has to have the same shape and know the same users.
        cluster_id: the only id to accept, None for any.

    Raises:
        DataFolderError: the folder holds something else.
    """
    path = folder / "cluster.json"
    try:
        found = Cluster(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        _check_unused(folder)
        write_atomically(path, json.dumps(asdict(wanted), indent=1).encode(), mode=0o600)
        return wanted
    except (OSError, ValueError, TypeError) as error:
        raise DataFolderError(f"{path} can't be read ({error}): choose another data folder") from error
    if cluster_id is not None and found.cluster_id != cluster_id:
        raise DataFolderError(
            f"{folder} is the data folder of another cluster, {found.cluster_id}, not of {cluster_id}: "
            "choose another folder, or leave the id out"
        )
    if (found.nodes, found.secure) != (wanted.nodes, wanted.secure):
        shape = f"{found.nodes} node(s), {'secured' if found.secure else 'not secured'}"
        raise DataFolderError(f"{folder} holds a cluster of {shape}: start it that way or choose another folder")
    for name, password in wanted.users.items():
        if name != ADMIN and found.users.get(name) != password:
            raise DataFolderError(
                f"{folder} was made without user {name!r} or with another password: use the users it was made "
                "with, or choose another folder"
            )
    return found


def check_node(data_dir: Path, cluster: Cluster, node_id: int) -> bool:
    """Tell whether ``data_dir`` is formatted for this node. Raises: DataFolderError."""
    try:
        meta = parse((data_dir / "meta.properties").read_text())
    except FileNotFoundError:
        return False
    found = (meta.get("cluster.id"), meta.get("node.id"))
    if found != (cluster.cluster_id, str(node_id)):
        raise DataFolderError(
            f"{data_dir} is the data folder of another cluster: it says cluster {found[0]}, node {found[1]}, "
            f"and this is cluster {cluster.cluster_id}, node {node_id}: choose another folder"
        )
    return True


def write_meta(data_dir: Path, cluster: Cluster, node_id: int) -> None:
    """Write what marks ``data_dir`` as formatted; the last step of formatting."""
    lines = f"version=1\ncluster.id={cluster.cluster_id}\nnode.id={node_id}\ndirectory.id={random_id()}\n"
    write_atomically(data_dir / "meta.properties", lines.encode())


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process during the block. Raises: DataFolderError (in use, not writable)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".in-use").open("w")
    except OSError as error:
        raise DataFolderError(f"can't write to the data folder {folder} ({error}): choose another") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderError(
                f"{folder} is in use by another broker: stop that one or choose another folder"
            ) from error
        yield


def _check_unused(folder: Path) -> None:
    strangers = [path.name for path in folder.iterdir() if path.name != ".in-use"] if folder.exists() else []
    if "meta.properties" in strangers:
        found = parse((folder / "meta.properties").read_text()).get("cluster.id")
        raise DataFolderError(
            f"{folder} is the data folder of another cluster, {found}, not started by this package: choose another"
        )
    if strangers:
        raise DataFolderError(
            f"{folder} is not empty ({sorted(strangers)[0]}) and holds no cluster: choose an empty folder"
        )
