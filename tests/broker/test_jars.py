"""Resolution against a small repository on the loopback interface, laid out as the real one."""

import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from penstock.broker import BrokerError, ExtraMissingError, JarsUnavailableError
from penstock.broker.jars import resolve_jars
from penstock.broker.ports import free_ports

KAFKA = "org/apache/kafka/kafka_2.13/4.0.9/kafka_2.13-4.0.9"


class Registry:
    """``repositories`` is what resolve_jars takes; ``asked`` counts the requests served."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                asked.append(self.path)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
        self.repositories = {"test": f"http://127.0.0.1:{self.server.server_address[1]}"}
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def publish(self, group: str, name: str, version: str, depends: str = "") -> None:
        base = self.root / group.replace(".", "/") / name / version / f"{name}-{version}"
        base.parent.mkdir(parents=True)
        base.with_name(base.name + ".pom").write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            f"<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
            f"<dependencies>{depends}</dependencies></project>"
        )
        jar = f"jar of {name}".encode()
        base.with_name(base.name + ".jar").write_bytes(jar)
        base.with_name(base.name + ".jar.sha1").write_text(hashlib.sha1(jar).hexdigest())


@pytest.fixture
def registry(tmp_path) -> Iterator[Registry]:
    registry = Registry(tmp_path / "registry")
    facade = "<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId><version>1.7.36</version>"
    registry.publish("org.apache.kafka", "kafka_2.13", "4.0.9", facade + "</dependency>")
    registry.publish("org.slf4j", "slf4j-api", "1.7.36")
    registry.publish("org.slf4j", "slf4j-simple", "1.7.36")
    yield registry
    registry.server.shutdown()
    registry.server.server_close()


def test_fetched_jars_include_a_logging_backend_of_the_facade_s_version(registry, tmp_path):
    jars = resolve_jars("4.0.9", cache=tmp_path / "cache", repositories=registry.repositories)

    assert {jar.name for jar in jars} == {"kafka_2.13-4.0.9.jar", "slf4j-api-1.7.36.jar", "slf4j-simple-1.7.36.jar"}


def test_second_start_asks_no_registry(registry, tmp_path):
    fetch = partial(resolve_jars, "4.0.9", cache=tmp_path / "cache", repositories=registry.repositories)
    first = fetch()
    asked = len(registry.asked)

    assert fetch() == first
    assert resolve_jars("4.0.9", cache=tmp_path / "cache", offline=True) == first
    assert len(registry.asked) == asked


def test_damaged_jar_is_fetched_again(registry, tmp_path):
    fetch = partial(resolve_jars, "4.0.9", cache=tmp_path / "cache", repositories=registry.repositories)
    jar = fetch()[0]
    whole = jar.read_bytes()
    jar.write_bytes(whole[:3])

    assert fetch()[0].read_bytes() == whole


def test_jar_that_does_not_match_its_checksum_is_refused(registry, tmp_path):
    (registry.root / f"{KAFKA}.jar.sha1").write_text("0" * 40)

    with pytest.raises(JarsUnavailableError, match="checksum"):
        resolve_jars("4.0.9", cache=tmp_path / "cache", repositories=registry.repositories)
    assert not list((tmp_path / "cache").rglob("kafka_2.13*.jar"))


def test_version_the_registry_lacks_is_named(registry, tmp_path):
    with pytest.raises(JarsUnavailableError, match=r"no complete Kafka 4\.9\.9.*check the version"):
        resolve_jars("4.9.9", cache=tmp_path / "cache", repositories=registry.repositories)


def test_unreachable_registry_and_empty_cache_say_what_to_do(tmp_path):
    nobody = {"test": f"http://127.0.0.1:{free_ports(1)[0]}"}

    with pytest.raises(JarsUnavailableError, match=r"can't be fetched .* connect to a network"):
        resolve_jars(cache=tmp_path, repositories=nobody)


def test_offline_and_empty_cache_say_what_to_do(tmp_path):
    with pytest.raises(JarsUnavailableError, match="offline is set: start once with a network"):
        resolve_jars(cache=tmp_path, offline=True)


@pytest.mark.parametrize("version", ["3.8.1", "latest", "4.3", "../4.3.0"])
def test_version_that_can_t_run_is_refused(version, tmp_path):
    with pytest.raises(BrokerError, match=r"give a release from Kafka 3\.9 on"):
        resolve_jars(version, cache=tmp_path)


def test_missing_package_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jgo.maven", None)

    with pytest.raises(ExtraMissingError, match=r'pip install "penstock-kafka\[broker\]"'):
        resolve_jars(cache=tmp_path)
