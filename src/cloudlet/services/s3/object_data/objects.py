"""A version of an object: its record, and where it is in the store.

A version has two rows, both under (bucket, key, order). One is its record, which listings read. The other, in
`bucket.contents`, has the bytes of a small object, or the list of an object's parts; a larger object of one
piece is in a file that the record names. Orders fall with time, so that the newest version of a key comes first.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

import msgspec

from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.permissions.acl import Acl
from cloudlet.store import pack
from cloudlet.store.tuple_keys import pack_int, unpack

NULL = "null"
"""The id of a version that was written while versioning was not on."""
LAST = (1 << 63) - 1
"""The order of what was written before versioning was on for the first time."""
_ID_BYTES = 20
_ID_LENGTH = 32


class Checksum(msgspec.Struct, frozen=True, array_like=True):
    """A checksum that is kept: its algorithm ("CRC32", …), base64 (with "-<parts>" for a composite one), its type."""

    algorithm: str
    value: str
    type: str = "FULL_OBJECT"


class Encryption(msgspec.Struct, frozen=True, array_like=True):
    """How an object is encrypted.

    `algorithm` is that of x-amz-server-side-encryption, or "" for a key of the customer's; of that, `customer_md5` is
    what the customer sees, and `salt` and `proof` tell whether a key is the one. Of a key of KMS, `kms_key` is the ARN
    (before KMS was asked: what the request calls it), and `context` the request's, in base64.
    """

    algorithm: str = "AES256"
    kms_key: str = ""
    context: str = ""
    bucket_key: bool = False
    customer_md5: str = ""
    salt: bytes = b""
    """Also what the bytes are encrypted under, where they are and there are no parts."""
    proof: bytes = b""
    data_key: bytes = b""
    """The data key, encrypted by KMS. Older Cloudlets have stored none."""


class Lock(msgspec.Struct, frozen=True, array_like=True):
    """What keeps a version from being deleted: a retention ("GOVERNANCE" or "COMPLIANCE"; ms) and a legal hold."""

    mode: str = ""
    until: int = 0
    hold: str = ""
    """"ON" or "OFF" once it was set."""


class Restore(msgspec.Struct, frozen=True, array_like=True):
    """The temporary copy of an archived object; times in milliseconds since the epoch."""

    ready: int
    """When it is (was) there."""
    expires: int
    """When it goes."""
    days: int = 0
    tier: str = "Standard"


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A part of an object: its number, its file and its size, and its checksum (base64, or "" where it is no part)."""

    number: int
    blob: str
    size: int
    checksum: str = ""
    nonce: str = ""
    """What it is encrypted under, "" where it is not."""


class Version(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a version, or of a delete marker. `modified` is in milliseconds since the epoch."""

    id: str
    modified: int
    size: int = 0
    etag: str = ""
    """Without quotes."""
    marker: bool = False
    blob: str = ""
    """The file with its bytes; "" where they are in `bucket.contents`, or there are none."""
    parts: int = 0
    """How many parts it was uploaded in; 0 where it was not a multipart upload."""
    storage_class: str = "STANDARD"
    headers: dict[str, str] = {}
    """The headers of the content that are kept with it, by the model's names: ContentType, CacheControl, …"""
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    checksum: Checksum | None = None
    encryption: Encryption | None = None
    acl: Acl | None = None
    """None: the bucket's owner owns it and has the only grant."""
    lock: Lock | None = None
    redirect: str = ""
    """x-amz-website-redirect-location."""
    restore: Restore | None = None
    replication: str = ""
    """PENDING, COMPLETED, FAILED or REPLICA."""
    annotations: int = 0
    """How many annotations it has."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Version).decode
encode_parts = msgspec.msgpack.Encoder().encode
decode_parts = msgspec.msgpack.Decoder(tuple[Part, ...]).decode


@lru_cache(1024)
def place(key: str, order: int) -> bytes:
    """Return what the rows of a version have behind the prefix of their subspace."""
    return pack((key,)) + pack_int(order)


def split(bucket: Bucket, row: bytes) -> tuple[str, int]:
    """Return the key and the order of a row of `bucket.objects`."""
    key, order = unpack(row[len(bucket.objects.prefix) :])
    return key, order


def behind(bucket: Bucket, key: str) -> bytes:
    """Return where the rows of a key end: the first row of the next key, or a place before it."""
    return bucket.objects.prefix + pack((key,)) + b"\xff"


def new_id(order: int) -> str:
    """Return an id for a version of this order."""
    return base64.b32encode(order.to_bytes(8, "big") + random_bytes(_ID_BYTES - 8)).decode()


def order_of(version_id: str) -> int:
    """Return the order of the version with an id that is not "null". Raises AwsError for what is no id."""
    if len(version_id) == _ID_LENGTH:
        try:
            order = int.from_bytes(base64.b32decode(version_id)[:8], "big")
        except binascii.Error:
            order = LAST
        if order < LAST:
            return order
    raise errors.invalid_argument("Invalid version id specified", "versionId", version_id)
