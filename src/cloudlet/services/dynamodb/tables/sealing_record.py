"""The record of a table's encryption under a key of KMS."""

from __future__ import annotations

import msgspec


class Sealing(msgspec.Struct, array_like=True, frozen=True):
    """The table key, by which contents are encrypted at rest, itself encrypted.

    Developer Guide, "DynamoDB encryption at rest: How it works". A table goes back to the key that AWS owns by having
    its table key encrypted under Cloudlet's own.
    """

    kms_key: str
    """The ARN of the KMS key that encrypts the table key; "" for Cloudlet's own."""
    table_key: bytes
    table: str
    """The name in the encryption context: that of the table it was made for."""
    inaccessible: float = 0
    """The time (seconds) since which the KMS key cannot be used; 0 while it can."""
    is_partial: bool = False
    """Whether some of what was stored before is still to be encrypted."""
    id: str = ""
    """The id of the table key, however that is encrypted."""

    def is_same(self, other: Sealing) -> bool:
        """Whether both have one table key."""
        return self.id == other.id
