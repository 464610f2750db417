"""What is stored of a bucket, and where its contents are in the store.

Contents are under the bucket's number, so that a bucket that is deleted and made again has nothing to do with the one
before.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from cloudlet.core import Subspace
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.s3.permissions.acl import Acl
from cloudlet.services.s3.permissions.public_access import PublicAccess


class Bucket(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """What is stored of a bucket. `created` is in milliseconds since the epoch."""

    number: int
    name: str
    account: str
    """The owner."""
    region: str
    created: int
    versioning: str = ""
    """"" while it was never on, then "Enabled" or "Suspended"."""
    locks: bool = False
    """Whether its objects can be locked (Object Lock)."""
    kinds: tuple[str, ...] = ()
    """The kinds of configurations that it has; of others there is no row."""
    acl: Acl | None = None
    """None: the owner has the only grant."""
    ownership: str = "BucketOwnerEnforced"
    public_access: PublicAccess | None = None
    requester_pays: bool = False
    location: str = ""
    """The location constraint that it was created with, where that is not the name of its region."""

    @property
    def arn(self) -> str:
        return f"arn:{partition_of(self.region)}:s3:::{self.name}"

    @cached_property
    def objects(self) -> Subspace:
        """(Key, order of versions) → the version; see `objects`."""
        return Subspace("o", self.number)

    @cached_property
    def contents(self) -> Subspace:
        """(Key, order of versions) → the bytes of a small object, the parts of one that has parts."""
        return Subspace("d", self.number)

    @cached_property
    def nulls(self) -> Subspace:
        """Key → order of the null version, where it was written after versioning had been on."""
        return Subspace("n", self.number)

    @cached_property
    def uploads(self) -> Subspace:
        """(Key, upload id) → a multipart upload under way."""
        return Subspace("u", self.number)

    @cached_property
    def parts(self) -> Subspace:
        """(Upload id, part number) → a part of it."""
        return Subspace("p", self.number)

    @cached_property
    def annotations(self) -> Subspace:
        """(Key, order of versions, name) → an annotation of the version; see `annotating`."""
        return Subspace("a", self.number)

    @cached_property
    def annotation_data(self) -> Subspace:
        """(Key, order of versions, name) → the payload of a small annotation."""
        return Subspace("b", self.number)

    @cached_property
    def configurations(self) -> Subspace:
        """Kind → configuration."""
        return Subspace("c", self.number)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Bucket).decode
