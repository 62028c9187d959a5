"""Grant rights on a secured cluster (aiokafka has the request but no call for it)."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest

from penstock.broker.errors import ClientRefusedError
from penstock.broker.ready import connected

# The numbers of Kafka's protocol: ResourceType, AclOperation, PatternType, AclPermissionType.
RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional_id": 5}
OPERATIONS = {
    "all": 2,
    "read": 3,
    "write": 4,
    "create": 5,
    "delete": 6,
    "alter": 7,
    "describe": 8,
    "describe_configs": 10,
    "alter_configs": 11,
    "idempotent_write": 12,
}
_LITERAL, _PREFIXED = 3, 4
_ALLOW = 3


async def allow(
    port: int,
    security: Mapping[str, Any],
    user: str,
    *,
    resource: str,
    name: str,
    operations: Iterable[str],
    prefixed: bool = False,
) -> None:
    """Let ``user`` perform ``operations`` on a resource.

    Args:
        port: of a node.
        security: connection arguments of a super user.
        user: name of the user.
        resource: a key of ``RESOURCES``.
        name: the resource's name, ``"*"`` for all, ``"kafka-cluster"`` for the cluster.
        operations: keys of ``OPERATIONS``.
        prefixed: ``name`` is the beginning of names.

    Raises:
        KeyError: no such resource or operation.
        ClientRefusedError: the broker refused, or could not be reached.
    """
    pattern = _PREFIXED if prefixed else _LITERAL
    requests = [
        CreateAclsRequest(RESOURCES[resource], name, pattern, f"User:{user}", "*", OPERATIONS[operation], _ALLOW)
        for operation in operations
    ]
    try:
        async with connected(port, security) as connection:
            for request in requests:
                response = await connection.send(request)
                for code, message in response.creation_responses:
                    if code:
                        raise ClientRefusedError(f"{user} on {resource} {name}: error {code}, {message}")
    except (OSError, KafkaError, TimeoutError) as error:
        raise ClientRefusedError(f"can't grant {user} rights on {resource} {name}: {error!r}") from error
