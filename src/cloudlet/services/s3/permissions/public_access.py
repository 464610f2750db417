"""Block public access: what a bucket's owner refuses, whatever ACLs and policies say.

S3 user guide, "Blocking public access to your Amazon S3 storage".
"""

from __future__ import annotations

import msgspec


class PublicAccess(msgspec.Struct, frozen=True, array_like=True):
    """The four settings of a bucket."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False


EVERYTHING_BLOCKED = PublicAccess(True, True, True, True)
"""What a new bucket has (since April 2023)."""
