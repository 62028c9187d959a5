"""Names of the record headers that Penstock reads and writes.

Dialects, and where each was read:
    Spring      ReplyingKafkaTemplate: spring-kafka, KafkaHeaders.java
    FastStream  faststream/kafka/parser.py
"""

from typing import Final

Header = tuple[str, bytes]

# Native, in requests.
ID: Final = "penstock-id"
ID_ALIAS: Final = "id"
MODEL: Final = "penstock-model"
VERSION: Final = "penstock-version"
OUTPUT: Final = "penstock-output"
REPLY_TOPIC: Final = "penstock-reply-topic"
REPLY_PARTITION: Final = "penstock-reply-partition"
TIMEOUT_MS: Final = "penstock-timeout-ms"
TENANT: Final = "penstock-tenant"
PRIORITY: Final = "penstock-priority"
SCHEMA: Final = "penstock-schema"

# Native, in replies and dead letters. `penstock-model` is there too, as `name@version`.
SOURCE: Final = "penstock-source"
EPOCH: Final = "penstock-epoch"
ERROR: Final = "penstock-error"
REASON: Final = "penstock-reason"
LIVE: Final = "penstock-live"  # of a shadow's answer: the version that answered the request
RETRY_AFTER_MS: Final = "penstock-retry-after-ms"

CONTENT_TYPE: Final = "content-type"
JSON_LENGTH: Final = "inference-header-content-length"

SPRING_CORRELATION: Final = "kafka_correlationId"
SPRING_REPLY_TOPIC: Final = "kafka_replyTopic"
SPRING_REPLY_PARTITION: Final = "kafka_replyPartition"

FASTSTREAM_CORRELATION: Final = "correlation_id"
FASTSTREAM_REPLY_TO: Final = "reply_to"

JSON_TYPE: Final = "application/json"
RAW_TYPE: Final = "application/octet-stream"

SCHEMA_VERSION: Final = "1"
