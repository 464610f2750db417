"""Writing an object: PutObject, and what all ways of writing one have in common."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Detour, Params, Result, Transaction
from cloudlet.core.kernel.detour import follow
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import checksums, conditions, data_keys, garbage, tagging, upload, versions
from cloudlet.services.s3.object_data.data_cipher import ObjectKey, encrypt_whole
from cloudlet.services.s3.object_data.object_keys import check_key
from cloudlet.services.s3.object_data.objects import NULL, Encryption, Version
from cloudlet.services.s3.permissions import access, acl, condition_keys, encryption
from cloudlet.services.s3.permissions.encryption import CustomerKey
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.retention import lifecycle, locks
from cloudlet.store.interface import Body

DEFAULT_TYPE: Final = "binary/octet-stream"
STORAGE_CLASSES: Final = frozenset(
    (
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    )
)
_METADATA_BYTES: Final = 2048
_HEADERS: Final = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires")


def headers_of(params: Params) -> dict[str, str]:
    """Return the headers that are kept with an object."""
    kept = {name: params[name] for name in _HEADERS if params.get(name)}
    coding = kept.get("ContentEncoding")
    if coding is not None and "aws-chunked" in coding:
        # That was how the body travelled, not what it is.
        codings = [each.strip() for each in coding.split(",")]
        kept["ContentEncoding"] = ",".join(each for each in codings if each and each != "aws-chunked")
        if not kept["ContentEncoding"]:
            del kept["ContentEncoding"]
    kept.setdefault("ContentType", DEFAULT_TYPE)
    return kept


def described(params: Params) -> Version:
    """Return what a request says of an object that it wants written. Raises AwsError."""
    check_key(params["Key"])
    storage_class = params.get("StorageClass", "STANDARD")
    if storage_class not in STORAGE_CLASSES:
        raise errors.invalid_storage_class(storage_class)
    metadata = params.get("Metadata") or {}
    if metadata:
        size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
        if size > _METADATA_BYTES:
            raise AwsError(
                "MetadataTooLarge",
                "Your metadata headers exceed the maximum allowed metadata size",
                status=400,
                Size=str(size),
                MaxSizeAllowed=str(_METADATA_BYTES),
            )
    redirect = params.get("WebsiteRedirectLocation", "")
    if redirect and not redirect.startswith(("/", "http://", "https://")):
        raise AwsError(
            "InvalidRedirectLocation",
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            status=400,
        )
    return Version(
        NULL,
        0,
        storage_class=storage_class,
        headers=headers_of(params),
        metadata=metadata,
        tags=tagging.from_header(params.get("Tagging")),
        redirect=redirect,
    )


async def check_conditions(ctx: Context, tx: Transaction, bucket: Bucket, params: Params) -> None:
    """Raise AwsError unless what is there lets a request write its object, and the caller may know of it."""
    if not conditions.is_conditional(params):
        return
    key = params["Key"]
    current = await versions.current(tx, bucket, key)
    if "IfMatch" in params:
        # User guide, "How to prevent object overwrites with conditional writes": it tells what the object is.
        await access.authorize(ctx, tx, bucket, "s3:GetObject", key=key, version=current, params=params)
    conditions.check_write(params, key, current)


class NewObject:
    """What a request wants to be written, before anything is looked up."""

    __slots__ = ("encryption", "key", "params", "sealed", "template")

    def __init__(self, params: Params, template: Version, key: CustomerKey | None, sealed: Encryption | None) -> None:
        self.params = params
        self.template = template
        self.key: ObjectKey | None = key
        """The key of its bytes: the customer's, or one that KMS has made."""
        self.sealed = sealed
        """What is kept of the customer's key."""
        self.encryption: Encryption | None = None
        """The object's encryption, once that is settled."""

    @classmethod
    def of(cls, params: Params) -> NewObject:
        """Read it from the parameters that all operations which write an object have. Raises AwsError."""
        key = encryption.customer_key(params)
        return cls(params, described(params), key, None if key is None else key.sealed())

    @property
    def nonce(self) -> str:
        """What its bytes are encrypted under, "" where they are not."""
        how = self.sealed or self.encryption
        return "" if how is None else how.salt.hex()

    async def settle(self, ctx: Context, bucket: Bucket, how: Encryption) -> None:
        """Settle its encryption, with a data key of KMS, if so it is. Raises AwsError."""
        self.encryption = how
        if data_keys.needs_key(how):
            self.encryption, self.key = await data_keys.generate(ctx, bucket, self.params["Key"], how)

    async def admitted(self, ctx: Context, tx: Transaction, *, begins: bool = False) -> Bucket:
        """Return the bucket, if the caller may write this object to it now. Raises AwsError.

        `begins` means that its parts are to come.
        """
        params = self.params
        bucket = await get_bucket(ctx, tx, params["Bucket"])
        key = params["Key"]
        named = {condition_keys.CREATES: "false"} if begins else None
        await access.authorize(ctx, tx, bucket, "s3:PutObject", key=key, params=params, conditions=named)
        if self.template.tags:
            request_metrics.of(ctx).tags = self.template.tags
            await access.authorize(ctx, tx, bucket, "s3:PutObjectTagging", key=key, params=params)
        await check_conditions(ctx, tx, bucket, params)
        return bucket

    async def record(self, ctx: Context, tx: Transaction, bucket: Bucket, now: int) -> Version:
        """Return the record of the object, but for what its bytes determine. Raises AwsError."""
        params = self.params
        grants = acl.for_new_object(ctx, bucket, params)
        if acl.is_asked(params):
            await access.authorize_grants(ctx, tx, bucket, params["Key"], grants, params)
        return msgspec.structs.replace(
            self.template,
            modified=now,
            acl=grants,
            encryption=self.encryption or await encryption.of_new_object(ctx, tx, bucket, params, self.sealed),
            lock=await locks.of_new_object(ctx, tx, bucket, params, params["Key"]),
        )


def etag_of(md5: bytes, key: ObjectKey | None) -> str:
    """Return the entity tag of an object of one piece, or of a part: its MD5, but under a key that is not ours another.

    That is the same whenever the same bytes are written under the same key.
    """
    return md5.hex() if key is None else key.tag(md5)


def quoted(etag: str) -> str:
    return f'"{etag}"'


def version_of(bucket: Bucket, version: Version) -> Params:
    """Return the VersionId of an answer: there is none where versioning was never on."""
    return {"VersionId": version.id} if bucket.versioning else {}


class Writing(NamedTuple):
    """An object whose bytes have come: what writes it, and the file that they are in, "" where they are few."""

    store: Body[Result]
    blob: str


async def put_object(ctx: Context, params: Params, *, event: str = "ObjectCreated:Put") -> Result:
    """Write an object; `params` are those of PutObject, with the body as bytes or as a stream of them."""
    writing = await begun(ctx, params, event=event)
    if writing.blob:
        return await upload.keep(ctx, [writing.blob], writing.store)
    return await follow(partial(ctx.transact, writing.store))


async def begun(ctx: Context, params: Params, *, event: str = "ObjectCreated:Put") -> Writing:
    """Take in the bytes of an object that is to be written."""
    upload.check_length(ctx)
    if "WriteOffsetBytes" in params:
        raise errors.not_implemented("appending to objects, which only directory buckets have")
    new = NewObject.of(params)
    wanted = upload.Wanted.of(params, ctx.headers)
    if locks.is_asked(params) and wanted.stated is None and wanted.md5 is None:
        raise errors.invalid_request(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
        )
    body = params.get("Body")
    if not upload.is_small(body):
        # Nobody sends gigabytes only to be told that he may not.
        bucket, how = await ctx.transact(lambda tx: _look(ctx, tx, new))
        await new.settle(ctx, bucket, how)
    received = await upload.receive(ctx.block, body, wanted, key=new.key, nonce=new.nonce)
    request_metrics.of(ctx).complete = perf_counter()

    async def store(tx: Transaction) -> Result:
        return await _store(ctx, tx, new, received, event)

    return Writing(store, received.blob)


async def _look(ctx: Context, tx: Transaction, new: NewObject) -> tuple[Bucket, Encryption]:
    """Return the bucket of an object that may be written, and its encryption. Raises AwsError."""
    bucket = await new.admitted(ctx, tx)
    return bucket, await encryption.of_new_object(ctx, tx, bucket, new.params, new.sealed)


async def _store_encrypted(
    ctx: Context, new: NewObject, bucket: Bucket, how: Encryption, received: upload.Received, event: str
) -> dict[str, Any]:
    """Write a small object for which KMS has to be asked first."""
    await new.settle(ctx, bucket, how)
    if new.key is not None:
        received.data = encrypt_whole(new.key, new.nonce, received.data)
    return await ctx.transact(lambda tx: _store(ctx, tx, new, received, event))


async def _store(
    ctx: Context, tx: Transaction, new: NewObject, received: upload.Received, event: str
) -> dict[str, Any]:
    now = int(ctx.now() * 1000)
    bucket = await new.admitted(ctx, tx)
    key = new.params["Key"]
    record = await new.record(ctx, tx, bucket, now)
    how = record.encryption
    if how is not None and data_keys.needs_key(how):
        raise Detour(partial(_store_encrypted, ctx, new, bucket, how, received, event))
    version = msgspec.structs.replace(
        record,
        size=received.size,
        etag=etag_of(received.md5, new.key),
        blob=received.blob,
        checksum=received.checksum,
    )
    if received.blob:
        garbage.claim(tx, [received.blob])
    version = await versions.put(tx, bucket, key, version, now, data=received.data)
    await events.note(ctx.block, tx, bucket, event, key, version, ctx=ctx)
    return await written(tx, bucket, key, version) | {
        "ETag": quoted(version.etag),
        **checksums.to_api(version.checksum),
    }


async def written(tx: Transaction, bucket: Bucket, key: str, version: Version) -> dict[str, Any]:
    """Return what all operations that write an object answer about it."""
    answer = encryption.to_api(version.encryption)
    if bucket.versioning == "Enabled":
        answer["VersionId"] = version.id
    expiration = await lifecycle.expiration_header(tx, bucket, key, version)
    if expiration is not None:
        answer["Expiration"] = expiration
    return answer
