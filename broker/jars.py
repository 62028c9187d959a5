"""From a Kafka version to the jars on this machine: a manifest where there is one, the registry where not."""

import json
import re
from collections.abc import Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from penstock.broker.cache import cache_dir, locked, write_atomically
from penstock.broker.errors import BrokerError, ExtraMissingError, JarsUnavailableError

DEFAULT_VERSION = "4.3.0"
_VERSION = re.compile(r"(\d+)\.(\d+)\.\d+(-rc\d+)?")
_OLDEST = (3, 9)  # older ones make their folders otherwise
# A long list of small files: a registry that doesn't answer one of them for this long is not reachable.
REQUEST_TIMEOUT_S = 10


def resolve_jars(
    version: str = DEFAULT_VERSION,
    *,
    offline: bool = False,
    cache: Path | None = None,
    repositories: Mapping[str, str] | None = None,
) -> list[Path]:
    """Return the jars that run Kafka ``version``, fetching them on the first call; blocks.

    Args:
        version: a release from Kafka 3.9 on, as ``"4.3.0"``.
        offline: never ask the registry.
        cache: the folder to keep them in; by default the user's cache folder.
        repositories: name and URL of other Maven repositories than jgo's default.

    Raises:
        BrokerError: the version is not one this package can run.
        ExtraMissingError: jgo is not installed and nothing is cached.
        JarsUnavailableError: nothing is cached and the registry can't give it.
    """
    folder = (cache or cache_dir()) / "kafka"
    manifest = folder / f"kafka-{checked_version(version)}.json"
    jars = _from_manifest(manifest)
    if jars is None:
        # A second process waits here for the first one's downloads, then finds the manifest.
        with locked(folder / "lock"):
            jars = _from_manifest(manifest)
            if jars is None:
                jars = _from_registry(version, folder, offline, repositories)
                _write_manifest(manifest, jars)
    return jars


def checked_version(version: str) -> str:
    """Return ``version`` if it names a Kafka this package can run. Raises: BrokerError."""
    match = _VERSION.fullmatch(version)
    if match is None or (int(match[1]), int(match[2])) < _OLDEST:
        raise BrokerError(
            f"can't run Kafka version {version!r}: give a release from Kafka 3.9 on, as {DEFAULT_VERSION}"
        )
    return version


def _from_manifest(manifest: Path) -> list[Path] | None:
    """Return what the manifest lists, or None where that is not all there as it was written."""
    try:
        entries = json.loads(manifest.read_bytes())["jars"]
        jars = [(manifest.parent / entry["path"], int(entry["size"])) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    damaged = [path for path, size in jars if not path.exists() or path.stat().st_size != size]
    for path in damaged:
        # Or the download would find it and take it for whole.
        path.unlink(missing_ok=True)
    return None if damaged else [path for path, _ in jars]


def _write_manifest(manifest: Path, jars: list[Path]) -> None:
    entries = [{"path": str(jar.relative_to(manifest.parent)), "size": jar.stat().st_size} for jar in jars]
    write_atomically(manifest, json.dumps({"jars": entries}, indent=1).encode())


def _from_registry(version: str, folder: Path, offline: bool, repositories: Mapping[str, str] | None) -> list[Path]:
    try:
        import requests
        from jgo.maven import MavenContext

        from penstock.broker.maven import PrefetchingResolver
    except ImportError as error:
        raise ExtraMissingError("jgo") from error
    with PrefetchingResolver() as resolver:
        context = MavenContext(
            resolver=resolver,
            repo_cache=folder / "maven",
            remote_repos=None if repositories is None else dict(repositories),
            timeout=REQUEST_TIMEOUT_S,
            offline=offline,
        )
        try:
            return _resolve(context, resolver, version)
        except requests.HTTPError as error:
            problem = f"the registry has no complete Kafka {version} ({error}): check the version"
            raise JarsUnavailableError(problem) from error
        # jgo raises RuntimeError for what is not there when offline; a cancelled guess is a failed one.
        except (requests.RequestException, RuntimeError, ValueError, OSError, CancelledError) as error:
            problem = _unavailable(version, folder, offline, error)
            raise JarsUnavailableError(problem) from error


def _resolve(context: Any, resolver: Any, version: str) -> list[Path]:
    root = context.create_dependency(f"org.apache.kafka:kafka_2.13:{version}")
    inputs, transitive = resolver.resolve([root])
    artifacts = [dependency.artifact for dependency in (*inputs, *transitive)]
    # Kafka brings the logging facade without a backend; this one writes to the standard error stream, which
    # is the log file, and needs no configuration file. Its version has to be the facade's.
    facades = [found for found in artifacts if (found.groupId, found.artifactId) == ("org.slf4j", "slf4j-api")]
    backend = context.project("org.slf4j", "slf4j-simple")
    artifacts += [backend.at_version(facade.version).artifact() for facade in facades[:1]]
    if context.offline:
        return [artifact.resolve() for artifact in artifacts]
    jars: list[Path] = resolver.download_all(artifacts)
    return jars


def _unavailable(version: str, folder: Path, offline: bool, error: BaseException) -> str:
    if offline:
        return f"Kafka {version} is not in {folder} and offline is set: start once with a network"
    reason = re.sub(r"\s+", " ", str(error))[:200] or type(error).__name__
    return (
        f"Kafka {version} is not in {folder} and can't be fetched ({reason}): connect to a network that reaches "
        "the Maven registry for the first start, or copy that folder from a machine that has it"
    )
