"""What can be subscribed to a topic: protocols, and what their endpoints look like.

API reference, Subscribe; Developer Guide, "Message delivery for FIFO topics".
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from cloudlet.core import Arn
from cloudlet.services.sns import errors, limits
from cloudlet.services.sns.topic_record import Topic

_PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
_LARGE_MESSAGE_PROTOCOLS = ("sqs", "lambda", "firehose")
_OF_RESOURCES = ("sqs", "lambda", "application", "firehose")
_ASKING = ("http", "https", "email", "email-json")
"""Endpoints that nobody's account owns: they are asked whether they want to be subscribed."""
_WRITTEN_NUMBER = re.compile(r"\+[0-9]+(([./-]|[\s()]+)[0-9]+)*")
"""A telephone number as people write it: one sign between digits, or spaces and brackets."""
_MAIL = re.compile(r"""[^@\s:;,<>()\[\]\\"]+@[\w-]+(\.[\w-]+)*""")


def checked(topic: Topic, protocol: str, endpoint: str | None) -> str:
    """Return the endpoint as it is kept. Raises AwsError for a protocol or an endpoint that the topic cannot have."""
    if protocol not in _PROTOCOLS:
        raise errors.invalid_parameter(f"Amazon SNS does not support this protocol string: {protocol}")
    if topic.fifo and protocol != "sqs":
        raise errors.invalid_parameter(f"Invalid protocol type: {protocol}")
    if not takes_large(protocol) and topic.maximum_message_bytes > limits.MESSAGE_BYTES:
        raise errors.invalid_parameter(
            f"Invalid protocol type: {protocol}", "the topic's MaximumMessageSize is above 256 KiB"
        )
    if protocol == "firehose":
        raise errors.not_built("subscriptions of Amazon Data Firehose delivery streams")
    if not endpoint or len(endpoint.encode()) > limits.ENDPOINT_BYTES:
        raise errors.invalid_parameter("Endpoint")
    errors.check_characters("Endpoint", endpoint)
    if protocol in _OF_RESOURCES:
        _check_resource(topic, protocol, endpoint)
    elif protocol in ("http", "https"):
        _check_url(protocol, endpoint)
    elif protocol == "sms":
        number = re.sub(r"[\s()./-]", "", endpoint)
        if not _WRITTEN_NUMBER.fullmatch(endpoint) or not limits.is_phone_number(number):
            raise errors.invalid_parameter(f"Invalid SMS endpoint: {endpoint}")
        return number
    elif not _MAIL.fullmatch(endpoint):
        raise errors.invalid_parameter("Email address")
    return endpoint


def _check_url(scheme: str, endpoint: str) -> None:
    try:
        url = urlsplit(endpoint)
        reachable = bool(url.hostname) and url.port != 0
    except ValueError:
        raise errors.invalid_parameter("Endpoint") from None
    if url.scheme != scheme:
        raise errors.invalid_parameter("Endpoint must match the specified protocol")
    if not reachable:
        raise errors.invalid_parameter("Endpoint")


def _check_resource(topic: Topic, protocol: str, endpoint: str) -> None:
    service = "sns" if protocol == "application" else protocol
    try:
        arn = Arn.parse(endpoint)
    except ValueError:
        arn = None
    if arn is None or arn.service != service or not arn.region or not arn.account:
        name = {"sqs": "SQS endpoint ARN", "lambda": "Lambda endpoint ARN"}.get(protocol, "Application endpoint arn")
        raise errors.invalid_parameter(name)
    if protocol == "application" and not arn.resource.startswith("endpoint/"):
        raise errors.invalid_parameter("Application endpoint arn")
    if protocol == "lambda" and not arn.resource.startswith("function:"):
        raise errors.invalid_parameter("Lambda endpoint ARN")
    if protocol == "sqs" and arn.resource.endswith(".fifo") and not topic.fifo:
        raise errors.invalid_parameter(
            "Invalid parameter: Endpoint", "FIFO SQS Queues can not be subscribed to standard SNS topics"
        )


def takes_large(protocol: str) -> bool:
    """Whether a protocol can carry messages above 256 KiB."""
    return protocol in _LARGE_MESSAGE_PROTOCOLS


def is_own(account: str, protocol: str, endpoint: str) -> bool:
    """Whether an account that subscribes this endpoint speaks for it, so that it need not be asked."""
    if protocol in _ASKING:
        return False
    return protocol == "sms" or endpoint.split(":")[4] == account
