"""The JSON of items."""

from __future__ import annotations

from typing import TypedDict

import msgspec


class AttributeValue(TypedDict, total=False):
    """An attribute value: one of these."""

    S: str
    N: str
    B: bytes
    SS: list[str]
    NS: list[str]
    BS: list[bytes]
    M: dict[str, AttributeValue]
    L: list[AttributeValue]
    BOOL: bool
    NULL: bool


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(dict[str, AttributeValue]).decode
