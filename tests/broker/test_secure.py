import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from penstock.broker import BrokerError, EmbeddedKafka


@pytest.fixture(scope="module")
async def secured():
    async with EmbeddedKafka(secure=True, users={"worker": "w0rker", "guest": "gue-st"}, heap_mb=256) as kafka:
        async with AIOKafkaProducer(**kafka.client_config()) as producer:
            await producer.send_and_wait("requests", b"by admin")
        yield kafka


async def send(settings) -> None:
    async with AIOKafkaProducer(request_timeout_ms=5000, **settings) as producer:
        await producer.send_and_wait("requests", b"x")


async def test_anonymous_client_is_refused(secured):
    with pytest.raises(KafkaConnectionError):
        await send({"bootstrap_servers": secured.bootstrap_servers})


async def test_wrong_password_is_refused(secured):
    with pytest.raises(KafkaConnectionError):
        await send({**secured.client_config("worker"), "sasl_plain_password": "wrong"})


async def test_user_without_acl_is_refused(secured):
    with pytest.raises(TopicAuthorizationFailedError):
        await send(secured.client_config("guest"))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_user_with_acl_is_allowed(secured, mechanism):
    await secured.allow("worker", "topic", "req", ["write", "describe"], prefixed=True)

    await send({**secured.client_config("worker"), **secured.security("worker", mechanism=mechanism)})


async def test_right_the_broker_refuses_is_an_error(secured):
    with pytest.raises(BrokerError, match="worker on topic : error"):
        await secured.allow("worker", "topic", "", ["read"])


def test_unknown_user_is_named(secured):
    with pytest.raises(BrokerError, match="no user 'nobody': there are admin, guest, worker"):
        secured.client_config("nobody")


def test_passwords_stay_out_of_representations(secured):
    assert "w0rker" not in repr(secured) + repr(secured.cluster) + repr(secured.nodes)
