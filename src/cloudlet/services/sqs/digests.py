"""The MD5 digests by which SDKs verify what they sent and received.

Developer Guide, "Calculating the MD5 message digest for message attributes": for each attribute in the order of names,
the name, the data type, a byte for the transport type (1 text, 2 binary) and the value, each after its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5

Attribute = dict[str, str | bytes]
"""A message attribute as it is on the wire: DataType, and StringValue or BinaryValue."""


def of_body(body: bytes) -> str:
    """Return the MD5 of a message body."""
    return md5(body, usedforsecurity=False).hexdigest()


def of_attributes(attributes: Mapping[str, Attribute]) -> str:
    """Return the MD5 of message attributes or message system attributes."""
    digest = md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        text = attribute.get("StringValue")
        parts = [_sized(name.encode()), _sized(str(attribute["DataType"]).encode())]
        if text is not None:
            parts += (b"\x01", _sized(str(text).encode()))
        else:
            parts += (b"\x02", _sized(bytes(attribute["BinaryValue"])))  # type: ignore[arg-type]
        digest.update(b"".join(parts))
    return digest.hexdigest()


def _sized(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw
