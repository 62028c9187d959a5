"""The study of control: what it counts of requests, and the commands of its long log."""

import math

import numpy as np
import pytest

from benchmarks.studies.control_answers import (
    Answers,
    Reply,
    Request,
    answers_of,
    first_at_rate_s,
    rates,
    share_of_keys,
    sigmas_off,
    within,
)
from benchmarks.studies.control_history import command_at
from benchmarks.studies.control_models import STEP, SWITCHED
from penstock.schemas.control.fold import ControlRecord, Fold, Trust
from penstock.schemas.control.signing import Signer
from penstock.schemas.control.specs import Deployment, Key


def answers(*versions: int, keys: tuple[int, ...] = ()) -> Answers:
    """One request a second, each answered half a second later by a version; 0 for an error."""
    requests = [Request(float(at), float(at), 0, key) for at, key in enumerate(keys or range(len(versions)))]
    replies = [
        Reply(at + 0.5, at, b"r/0/%d" % at, version, 0, at + version * STEP if version else None, "BUSY")
        for at, version in enumerate(versions)
    ]
    return answers_of(requests, replies)


def test_an_answer_is_held_against_the_version_that_it_names() -> None:
    requests = [Request(0.0, 0.0, 0, 7), Request(1.0, 1.0, 1, 8), Request(2.0, 2.0, 1, 9), Request(3.0, 3.0, 1, 9)]
    right = Reply(0.5, 0, b"r/0/0", 2, 5, 2 * STEP)
    found = answers_of(
        requests,
        [
            right,
            right._replace(at=0.6),  # the same source
            Reply(1.5, 1, b"r/0/1", 2, 5, 1 + 3 * STEP),  # another version's value
            Reply(2.5, 2, b"r/0/2", 0, 5, None, "THROTTLED"),
            Reply(2.5, 77, b"r/0/3", 2, 5, 2 * STEP),  # of another run
        ],
    )
    counts = {name: found.counts()[name] for name in ("requests", "failed", "lost", "doubles", "wrong")}
    assert counts == {"requests": 4, "failed": 1, "lost": 1, "doubles": 1, "wrong": 1}
    assert found.errors == {"THROTTLED": 1}
    assert found.version.tolist() == [2, 2, 0, 0]
    assert found.flow.came[:3].tolist() == [0.5, 1.5, 2.5]
    assert found.of_stream(1).unanswered == 2, "an error is no answer"


def test_keys_are_counted_by_the_version_that_answered_them_within_a_step() -> None:
    found = answers(1, 1, 2, 1, 2, 2, keys=(1, 2, 3, 1, 3, 2))
    assert share_of_keys(found, 2, 0.0, 10.0) == {"keys": 3, "of_version": 2, "both": 1}
    assert share_of_keys(found, 2, 0.0, 5.4) == {"keys": 3, "of_version": 1, "both": 0}
    assert share_of_keys(found, 2, 2.0, 3.4) == {"keys": 1, "of_version": 1, "both": 0}
    assert share_of_keys(answers(0, 0), 2, 0.0, 9.0) == {"keys": 0, "of_version": 0, "both": 0}


def test_a_share_is_judged_by_the_deviation_of_a_draw() -> None:
    assert sigmas_off(13, 100, 0.1) == pytest.approx(1.0)
    assert sigmas_off(100, 100, 1.0) == 0.0
    assert sigmas_off(99, 100, 1.0) == math.inf


def test_requests_are_divided_by_when_they_were_due() -> None:
    inside, others = within(answers(1, 1, 1, 1).flow, [(0.0, 1.0), (2.5, 9.0)])
    assert inside.due.tolist() == [0.0, 3.0]
    assert others.due.tolist() == [1.0, 2.0]


def test_a_rate_is_full_at_the_end_of_the_first_window_that_has_it() -> None:
    came = np.array([0.0, 1.0, 2.0, 2.1, 2.2, 2.3, 2.4, np.nan])
    assert first_at_rate_s(came, 0.5, per_second=8.0) == pytest.approx(2.3 - 0.5)
    assert first_at_rate_s(came, 0.5, per_second=100.0) == math.inf
    assert rates(came, 0.0, 3.0, 1.0) == [1.0, 1.0, 5.0]


def test_every_command_of_a_long_log_is_accepted() -> None:
    signer = Signer.generate("study")
    fold = Fold(Trust("c", "g", {"study": Key(public=signer.public_hex, scopes=("*",))}, signing=True))
    for number in range(60):
        command = command_at(number, "c", "g", 1)
        value = command.encode()
        record = ControlRecord(number, 2, command.resource.encode(), value, signer.sign(command, value))
        assert fold.apply(record).refused is None
    (entry,) = fold.state.deployments().values()
    assert isinstance(entry.spec, Deployment)
    assert entry.spec.versions[0].version == SWITCHED[5]
    assert len(fold.state.throttles()) == 54
