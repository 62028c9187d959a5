"""Why an address is of no use, in words."""

import re

import pytest

from penstock.transport.problems import Problem, Reached, remedy, unreachable

PASSWORD = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "guest",
    "sasl_plain_password": "never to be shown",
}
TLS = {"security_protocol": "SSL"}


@pytest.mark.parametrize("problem", Problem)
@pytest.mark.parametrize("options", [{}, PASSWORD, TLS], ids=["clear", "log-in", "TLS"])
def test_every_problem_has_its_words(problem: Problem, options: dict[str, str]):
    said = remedy(Reached("broker:9092", problem, "a detail"), options)
    for sentence in (said.what, said.why, said.mend):
        assert sentence
        assert "{" not in sentence
        assert "never to be shown" not in sentence
    assert "broker:9092" in said.what
    assert said.why.endswith(".")
    assert said.mend.endswith((".", "?"))


@pytest.mark.parametrize(
    ("problem", "protocol", "mend"),
    [
        (Problem.WANTS_LOGIN, "PLAINTEXT", "SASL_PLAINTEXT"),
        (Problem.WANTS_LOGIN, "SSL", "SASL_SSL"),
        (Problem.TAKES_NO_LOGIN, "SASL_PLAINTEXT", "PLAINTEXT"),
        (Problem.TAKES_NO_LOGIN, "SASL_SSL", "SSL"),
        (Problem.WANTS_TLS, "PLAINTEXT", "SSL"),
        (Problem.WANTS_TLS, "SASL_PLAINTEXT", "SASL_SSL"),
        (Problem.SPEAKS_NO_TLS, "SSL", "PLAINTEXT"),
        (Problem.SPEAKS_NO_TLS, "SASL_SSL", "SASL_PLAINTEXT"),
    ],
)
def test_only_what_is_wrong_with_the_protocol_is_changed(problem: Problem, protocol: str, mend: str):
    said = remedy(Reached("broker:9092", problem), {"security_protocol": protocol})
    (chosen,) = re.findall(r"kafka\.security_protocol=(\w+)", said.mend)
    assert chosen == mend


def test_the_most_telling_problem_is_the_one_that_is_told():
    tried = [Reached("a:1", Problem.REFUSED), Reached("b:1", Problem.NOT_LET_IN)]
    first, second = str(unreachable(tried, PASSWORD)).splitlines()
    assert first.startswith("b:1 does not let user guest in")
    assert "kafka.sasl_password" in second


def test_every_address_is_named_where_none_answers():
    tried = [Reached("a:1", Problem.REFUSED), Reached("b:1", Problem.UNRESOLVED)]
    first, second = str(unreachable(tried, {})).splitlines()
    assert first == "no Kafka broker answers at a:1,b:1: connection refused."
    assert "penstock doctor" in second
