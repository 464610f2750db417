"""What SNS writes into its messages, and what of them it signs.

Developer Guide, "Parsing Amazon SNS message formats" and "Verifying the signatures of Amazon SNS messages". The layout
is AWS's own: a member a line, in this order.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final, NamedTuple

import msgspec

from cloudlet.core.aws import iso8601
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.sns.message import Attribute, Message
from cloudlet.services.sns.signing import Signature

NOTIFICATION: Final = "Notification"
SUBSCRIPTION_CONFIRMATION: Final = "SubscriptionConfirmation"
UNSUBSCRIBE_CONFIRMATION: Final = "UnsubscribeConfirmation"

_json: Final = msgspec.json.Encoder().encode


class Confirmation(NamedTuple):
    """What an endpoint is told about its subscription."""

    kind: str
    id: str
    topic_arn: str
    token: str
    text: str
    url: str
    """Confirms the subscription, or renews it."""
    written: int
    """Milliseconds since the epoch."""


def confirmation(
    kind: str, *, id: str, topic_arn: str, subscription_arn: str, token: str, written: int, endpoint: str
) -> Confirmation:
    """Return what an endpoint is told when it was subscribed, or (`kind` says which) its subscription was ended."""
    if kind == SUBSCRIPTION_CONFIRMATION:
        done, wish = f"subscribe to the topic {topic_arn}", "confirm the subscription"
    else:
        done, wish = f"deactivate subscription {subscription_arn}", "cancel this operation and restore the subscription"
    text = f"You have chosen to {done}.\nTo {wish}, visit the SubscribeURL included in this message."
    url = f"{endpoint}/?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}"
    return Confirmation(kind, id, topic_arn, token, text, url, written)


def unsubscribe_url(endpoint: str, subscription_arn: str) -> str:
    """Return the link that ends a subscription."""
    return f"{endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}"


# -- what is signed


def to_sign(message: Message, protocol: str) -> bytes:
    """Return what is signed of a message to the subscribers of a protocol: it is the same for all of them."""
    members = [("Message", message.body_for(protocol)), ("MessageId", message.id)]
    if message.subject is not None:
        members.append(("Subject", message.subject))
    members += [
        ("Timestamp", iso8601.millisecond(message.published)),
        ("TopicArn", message.topic),
        ("Type", NOTIFICATION),
    ]
    return _to_sign(members)


def confirmation_to_sign(told: Confirmation) -> bytes:
    """Return what is signed of a confirmation."""
    return _to_sign(
        [
            ("Message", told.text),
            ("MessageId", told.id),
            ("SubscribeURL", told.url),
            ("Timestamp", iso8601.millisecond(told.written)),
            ("Token", told.token),
            ("TopicArn", told.topic_arn),
            ("Type", told.kind),
        ]
    )


def _to_sign(members: list[tuple[str, str]]) -> bytes:
    return "".join([f"{name}\n{value}\n" for name, value in members]).encode()


# -- what is sent


def envelope(
    message: Message,
    *,
    endpoint: str,
    subscription_arn: str,
    signature: Signature | None,
    protocol: str = "sqs",
    alone: bool = False,
) -> str:
    """Return a notification as a subscriber gets it, who may unsubscribe at `endpoint`.

    `alone`: no other subscriber gets it, so that what they would share is not kept.
    """
    begin, end = _written(message, protocol, signature) if alone else _shared(message, protocol, signature)
    return f'{begin}"{unsubscribe_url(endpoint, subscription_arn)}"{end}'


def confirmation_envelope(told: Confirmation, signature: Signature) -> str:
    """Return a confirmation as an endpoint gets it."""
    members = [
        ("Type", told.kind),
        ("MessageId", told.id),
        ("Token", told.token),
        ("TopicArn", told.topic_arn),
        ("Message", told.text),
        ("SubscribeURL", told.url),
        ("Timestamp", iso8601.millisecond(told.written)),
        *_signature_members(signature),
    ]
    return "{" + ",".join([_member(name, value) for name, value in members]) + "\n}"


_KEPT_BYTES: Final = 16 << 20
_LEAST_BYTES: Final = _KEPT_BYTES // 64
"""Each counts as so many: what is behind some dozens of others is seldom asked for again, and to keep it costs time."""
_made: Final[SizedCache[int, tuple[Message, str, Signature | None, tuple[str, str]]]] = SizedCache(_KEPT_BYTES)
"""What was written last, by message: one is written for many subscribers."""


def _shared(message: Message, protocol: str, signature: Signature | None) -> tuple[str, str]:
    """Return what is before and behind the link to unsubscribe, the only member that subscribers do not share."""
    key = id(message)
    made = _made.get(key)
    # The message is kept with it, so no other has its id meanwhile.
    if made is not None and made[0] is message and made[1] == protocol and made[2] == signature:
        return made[3]
    shared = _written(message, protocol, signature)
    size = max(_LEAST_BYTES, 2 * (len(shared[0]) + len(shared[1])))
    _made.add(key, (message, protocol, signature, shared), size)
    return shared


def _written(message: Message, protocol: str, signature: Signature | None) -> tuple[str, str]:
    sequence = "" if message.sequence is None else f',\n  "SequenceNumber" : "{message.sequence}"'
    subject = "" if message.subject is None else f",{_member('Subject', message.subject)}"
    replayed = ',\n  "Replayed" : "true"' if message.replayed else ""
    signed = "" if signature is None else "".join([f",{_member(*each)}" for each in _signature_members(signature)])
    begin = (
        f'{{\n  "Type" : "{NOTIFICATION}",\n  "MessageId" : "{message.id}"{sequence}'
        f',\n  "TopicArn" : {_text(message.topic)}{subject},\n  "Message" : {_text(message.body_for(protocol))}'
        f',\n  "Timestamp" : "{iso8601.millisecond(message.published)}"{replayed}{signed},\n  "UnsubscribeURL" : '
    )
    return begin, _attributes(message.attributes)


def _attributes(attributes: dict[str, Attribute]) -> str:
    """Return the end of an envelope."""
    if not attributes:
        return "\n}"
    listed = []
    for name, attribute in attributes.items():
        value = attribute.value if isinstance(attribute.value, str) else b64encode(attribute.value).decode()
        listed.append(f'\n    {_text(name)} : {{"Type":{_text(attribute.type)},"Value":{_text(value)}}}')
    return ',\n  "MessageAttributes" : {' + ",".join(listed) + "\n  }\n}"


def _signature_members(signature: Signature) -> list[tuple[str, str]]:
    return [
        ("SignatureVersion", signature.version),
        ("Signature", signature.text),
        ("SigningCertURL", signature.certificate_url),
    ]


def _member(name: str, value: str) -> str:
    return f'\n  "{name}" : {_text(value)}'


def _text(value: str) -> str:
    return _json(value).decode()
