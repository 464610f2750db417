"""Parameters as they are stored."""

from __future__ import annotations

import msgspec

SECURE = "SecureString"
ADVANCED = "Advanced"
STANDARD = "Standard"


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A policy of a parameter's version."""

    type: str
    text: str
    due: int = 0
    """The moment at which it acts, in milliseconds since the epoch."""
    is_finished: bool = False


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version of a parameter. `modified` is in seconds since the epoch."""

    number: int
    type: str
    value: str
    """Of a SecureString the ciphertext, in base64."""
    tier: str
    data_type: str
    modified: float
    user: str
    """The ARN of the caller who made it."""
    description: str = ""
    key_id: str = ""
    allowed_pattern: str = ""
    policies: tuple[Policy, ...] = ()


class Share(msgspec.Struct, frozen=True, omit_defaults=True):
    """A resource policy, by which other accounts may read a parameter."""

    id: str
    hash: str
    text: str


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter, with its latest version."""

    account: str
    region: str
    name: str
    latest: Version
    labels: dict[str, int] = {}
    """Labels, and the versions that have them."""
    tags: dict[str, str] = {}
    share: Share | None = None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Parameter).decode
decode_version = msgspec.msgpack.Decoder(Version).decode
