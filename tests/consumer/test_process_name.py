"""The name of a worker's process."""

import socket

import pytest

from penstock.consumer.process_name import process_name


def test_processes_of_one_number_on_two_machines_have_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for machine in ("pod-a", "pod-b"):
        monkeypatch.setattr(socket, "gethostname", lambda machine=machine: machine)
        names.add(process_name("penstock").rpartition("-")[0])
    assert names == {"penstock-pod-a", "penstock-pod-b"}
