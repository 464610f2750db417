"""Shard iterators: a place in a shard of a stream, as a text that is good for 15 minutes."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.streaming import streams

_LIFE = 15 * 60 * 1000


class Iterator(msgspec.Struct, array_like=True, frozen=True):
    """The place before the record with the number `at`. Times are in milliseconds since the epoch."""

    shard: int
    """When the shard began."""
    lane: int
    at: int
    issued: int
    oldest: bool = False
    """Whether it means the oldest record that is left, from `at` on, instead of the very one at `at`."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Iterator).decode


def text_of(arn: str, place: Iterator) -> str:
    """Return an iterator of the stream `arn` as clients have it."""
    return f"{arn}|1|{urlsafe_b64encode(_encode(place)).decode()}"


def read(text: str, now: int) -> tuple[tuple[str, str, str, str], Iterator]:
    """Return the stream (account, region, table, label) and the place of an iterator. Raises AwsError."""
    try:
        arn, version, encoded = text.rsplit("|", 2)
        stream = streams.parse_arn(arn)
        place = _decode(urlsafe_b64decode(encoded.encode()))
    except (ValueError, msgspec.MsgspecError):
        raise validation("Invalid ShardIterator") from None
    if version != "1" or not 0 <= place.lane < streams.LANES or place.at < 0 or place.shard < 0:
        raise validation("Invalid ShardIterator")
    if place.issued + _LIFE < now:
        raise AwsError(
            "ExpiredIteratorException",
            "The shard iterator has expired and can no longer be used to retrieve stream records: it is older than 15 "
            "minutes.",
        )
    return stream, place
