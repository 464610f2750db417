"""Multipart uploads: parts that come one by one, in any order, and become one object.

S3 user guide, "Uploading and copying objects using multipart upload". The parts' files become the object's: nothing is
copied.
"""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any
from urllib.parse import quote

import msgspec

from cloudlet.core import AwsError, Context, Detour, Params, Result, Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import checksums, completed, conditions, data_keys, garbage, upload, versions
from cloudlet.services.s3.object_data.data_cipher import ObjectKey
from cloudlet.services.s3.object_data.objects import Checksum, Encryption, Part, Version
from cloudlet.services.s3.object_data.putting import NewObject, check_conditions, etag_of, quoted, written
from cloudlet.services.s3.permissions import access, acl, condition_keys, encryption
from cloudlet.services.s3.permissions.canonical_users import canonical_id, owner
from cloudlet.services.s3.permissions.encryption import CustomerKey
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.retention import lifecycle

MOST_PARTS = 10_000
SMALLEST_PART_BYTES = 5 << 20
_LISTED = 1000
_ID_BYTES = 32
_begun = count()


class Upload(msgspec.Struct, frozen=True, array_like=True):
    """A multipart upload under way."""

    template: Version
    """The object, as far as it is known; its `modified` is when the upload was begun (ms)."""
    account: str
    """Of whom began it, and his ARN."""
    arn: str
    algorithm: str
    """Of the checksum that the object will have."""
    type: str
    explicit: bool
    """Whether the request that began it named the algorithm: each part is to have such a checksum then."""
    before: str | None = None
    """The state of the key when it was begun (see `_state`); None if it was not noted."""
    disturbed: bool = False
    """Whether something of the key has been removed since then."""


class UploadedPart(msgspec.Struct, frozen=True, array_like=True):
    """A part, as it was uploaded; `modified` in ms."""

    size: int
    etag: str
    modified: int
    blob: str
    checksum: str
    """Of the upload's algorithm."""
    nonce: str = ""
    stated: Checksum | None = None
    """The one that came with it, where that was of another algorithm."""

    def has(self, algorithm: str, of_upload: str, value: str) -> bool:
        """Whether this is its checksum."""
        if algorithm == of_upload:
            return value == self.checksum
        return self.stated is not None and (self.stated.algorithm, self.stated.value) == (algorithm, value)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Upload).decode
_decode_part = msgspec.msgpack.Decoder(UploadedPart).decode


def _new_id(now: int) -> str:
    """Return an upload id: those of a key sort by when they were begun, also those of one millisecond."""
    order = now.to_bytes(8, "big") + (next(_begun) & 0xFFFFFFFF).to_bytes(4, "big")
    return base64.b32hexencode(order + random_bytes(_ID_BYTES - len(order))).decode().rstrip("=")


async def create(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Begin an upload."""
    if ctx.principal.kind == "anonymous":
        raise errors.access_denied("Anonymous users cannot initiate multipart uploads.  Please authenticate.")
    return await _create(ctx, tx, params, NewObject.of(params))


async def _create(ctx: Context, tx: Transaction, params: Params, new: NewObject) -> Result:
    bucket = await new.admitted(ctx, tx, begins=True)
    now = int(ctx.now() * 1000)
    asked = params.get("ChecksumAlgorithm")
    if asked is None and "ChecksumType" in params:
        raise errors.invalid_request(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
        )
    algorithm = asked or checksums.DEFAULT
    if algorithm not in checksums.ALGORITHMS:
        raise errors.invalid_request("Checksum algorithm provided is unsupported.")
    kind = checksums.type_of_upload(algorithm, params.get("ChecksumType"))
    template = await new.record(ctx, tx, bucket, now)
    how = template.encryption
    if how is not None and data_keys.needs_key(how):
        raise Detour(partial(_create_encrypted, ctx, params, new, bucket, how))
    before = await _state(tx, bucket, params["Key"])
    begun = Upload(template, ctx.principal.account, ctx.principal.arn, algorithm, kind, asked is not None, before)
    upload_id = _new_id(now)
    tx.put(bucket.uploads.key(params["Key"], upload_id), encode(begun))
    return {
        "Bucket": bucket.name,
        "Key": params["Key"],
        "UploadId": upload_id,
        **encryption.to_api(template.encryption),
        **({"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if begun.explicit else {}),
        **await _abort_rule(tx, bucket, params["Key"], begun),
    }


async def _create_encrypted(ctx: Context, params: Params, new: NewObject, bucket: Bucket, how: Encryption) -> Result:
    """Begin an upload for which KMS has to be asked first."""
    await new.settle(ctx, bucket, how)
    return await ctx.transact(lambda tx: _create(ctx, tx, params, new))


async def _state(tx: Transaction, bucket: Bucket, key: str) -> str:
    """Return what tells a key's newest version from every other one, "" where there is none."""
    version = await versions.newest(tx, bucket, key)
    return "" if version is None else f"{version.id} {version.modified} {version.etag}"


async def note_removal(tx: Transaction, bucket: Bucket, key: str) -> None:
    """Take note, for the uploads to a key that are under way (the first thousand), that something of it was removed."""
    space = bucket.uploads.sub(key)
    for row, raw in await tx.range(space.begin, space.end, limit=_LISTED):
        begun = decode(raw)
        if not begun.disturbed:
            tx.put(row, encode(msgspec.structs.replace(begun, disturbed=True)))


async def _check_undisturbed(tx: Transaction, bucket: Bucket, key: str, begun: Upload) -> None:
    """Raise AwsError where a key was written to, or deleted, since the upload was begun.

    API reference, "CompleteMultipartUpload" (If-Match, If-None-Match): it has to be begun anew then.
    """
    if begun.disturbed or begun.before not in (None, await _state(tx, bucket, key)):
        raise conditions.conflict(key)


async def _abort_rule(tx: Transaction, bucket: Bucket, key: str, begun: Upload) -> dict[str, Any]:
    due = await lifecycle.abort_of(tx, bucket, key, begun.template.modified / 1000)
    return {} if due is None else {"AbortDate": due.at, "AbortRuleId": due.rule}


async def _find(
    ctx: Context, tx: Transaction, params: Params, action: str, *, own: bool = False
) -> tuple[Bucket, Upload]:
    """Return the upload that a request names, if the caller may do this with it. Raises AwsError.

    What is done to uploads of one's `own` needs no permission.
    """
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    raw = await tx.get(bucket.uploads.key(params["Key"], params["UploadId"]))
    begun = None if raw is None else decode(raw)
    is_initiator = own and begun is not None and _has_begun(ctx, begun)
    named = {condition_keys.CREATES: "false"} if action == "s3:PutObject" else None
    await access.authorize(
        ctx, tx, bucket, action, key=params["Key"], params=params, conditions=named, is_initiator=is_initiator
    )
    if begun is None:
        raise errors.no_such_upload(params["UploadId"])
    return bucket, begun


def _has_begun(ctx: Context, begun: Upload) -> bool:
    """Whether the caller, or a user of his account whose root he is, began it."""
    principal = ctx.principal
    return principal.account == begun.account and (principal.kind == "root" or principal.arn == begun.arn)


# -- parts


def check_number(number: int) -> None:
    """Raise AwsError for what is no part's number."""
    if not 1 <= number <= MOST_PARTS:
        raise errors.invalid_part_number(number)


async def find_for_part(
    ctx: Context, tx: Transaction, params: Params, key: CustomerKey | None
) -> tuple[Bucket, Upload]:
    """Return the upload that a part is for, if the caller may add one and has its key. Raises AwsError."""
    bucket, begun = await _find(ctx, tx, params, "s3:PutObject")
    _check_key(begun, key)
    return bucket, begun


def _check_key(begun: Upload, key: CustomerKey | None) -> None:
    """Raise AwsError unless a request has the key that the upload was begun with, and none where it has none."""
    how = begun.template.encryption
    if how is not None and how.customer_md5:
        if key is None:
            raise errors.invalid_request(
                "The multipart upload initiate requested encryption. Subsequent part requests must include the "
                "appropriate encryption parameters."
            )
        if not key.opens(how):
            raise errors.invalid_request("The provided encryption parameters did not match the ones used originally.")
    elif key is not None:
        raise errors.invalid_request(
            "The multipart upload initiate did not request encryption. Please resend the request without sending "
            "encryption parameters."
        )


def _check_key_given(begun: Upload, params: Params) -> None:
    """Raise AwsError for another key than the upload's, or none where it is needed."""
    key = encryption.customer_key(params)
    if begun.explicit or key is not None:
        # API reference: it is needed where the upload was begun with the algorithm of a checksum.
        _check_key(begun, key)


async def upload_part(ctx: Context, params: Params) -> Result:
    """Take in a part; one of the same number that was there before is replaced."""
    check_number(params["PartNumber"])
    upload.check_length(ctx)
    customer = encryption.customer_key(params)
    bucket, begun = await ctx.transact(lambda tx: find_for_part(ctx, tx, params, customer))
    wanted = upload.Wanted.of(params, ctx.headers, begun.algorithm)
    _check_algorithm(begun, wanted)
    key = customer or await data_keys.unlock(ctx, bucket, params["Key"], begun.template.encryption)
    nonce = random_bytes(16).hex() if key is not None else ""
    received = await upload.receive(ctx.block, params.get("Body"), wanted, key=key, nonce=nonce, inline=-1)
    request_metrics.of(ctx).complete = perf_counter()
    part = await keep_part(ctx, params, customer, key, received, nonce)
    stated = received.also or (received.checksum if begun.explicit else None)
    return {
        "ETag": quoted(part.etag),
        **encryption.to_api(begun.template.encryption),
        **({} if stated is None else {checksums.member(stated.algorithm): stated.value}),
    }


def _check_algorithm(begun: Upload, wanted: upload.Wanted) -> None:
    given = None if wanted.stated is None else wanted.stated.algorithm
    if begun.explicit and given != begun.algorithm and (given is not None or begun.type == checksums.COMPOSITE):
        raise errors.invalid_request(
            f"Checksum Type mismatch occurred, expected checksum Type: {begun.algorithm.lower()}, actual checksum "
            f"Type: {'null' if given is None else given.lower()}"
        )


async def keep_part(
    ctx: Context,
    params: Params,
    customer: CustomerKey | None,
    key: ObjectKey | None,
    received: upload.Received,
    nonce: str,
) -> UploadedPart:
    """Add what was received to the upload that a request names. Raises AwsError; the file is removed then.

    `customer` is the key that came with the request, `key` the one by which the part is encrypted.
    """

    async def store(tx: Transaction) -> UploadedPart:
        now = int(ctx.now() * 1000)
        bucket, begun = await find_for_part(ctx, tx, params, customer)
        row = bucket.parts.key(params["UploadId"], params["PartNumber"])
        before = await tx.get(row)
        if before is not None:
            garbage.release(tx, [_decode_part(before).blob], now)
        etag = etag_of(received.md5, key)
        stated = received.also if received.also is None or received.also.algorithm != begun.algorithm else None
        part = UploadedPart(received.size, etag, now, received.blob, received.checksum.value, nonce, stated)
        garbage.claim(tx, [part.blob])
        tx.put(row, encode(part))
        return part

    return await upload.keep(ctx, [received.blob], store)


async def parts_of(
    tx: Transaction, bucket: Bucket, upload_id: str, after: int = 0, limit: int = MOST_PARTS
) -> list[tuple[int, UploadedPart]]:
    """Return up to `limit` parts behind a number, in the order of their numbers."""
    space = bucket.parts.sub(upload_id)
    rows = await tx.range(space.key(after) + b"\x00", space.end, limit=limit)
    return [(space.unpack(key)[0], _decode_part(raw)) for key, raw in rows]


def parts_asked(params: Params) -> tuple[int, int]:
    """Return how many parts a request asks for, and those behind which number. Raises AwsError."""
    most, after = params.get("MaxParts", _LISTED), params.get("PartNumberMarker", 0)
    for name, value in (("max-parts", most), ("part-number-marker", after)):
        if value < 0:
            message = f"Argument {name} must be an integer between 0 and 2147483647"
            raise errors.invalid_argument(message, name, value)
    return min(most, _LISTED), after


async def list_parts(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List the parts of an upload."""
    bucket, begun = await _find(ctx, tx, params, "s3:ListMultipartUploadParts", own=True)
    _check_key_given(begun, params)
    most, after = parts_asked(params)
    found = await parts_of(tx, bucket, params["UploadId"], after, most + 1)
    listed = found[:most]
    return {
        "Bucket": bucket.name,
        "Key": params["Key"],
        "UploadId": params["UploadId"],
        "PartNumberMarker": after,
        "NextPartNumberMarker": listed[-1][0] if listed else after,
        "MaxParts": most,
        "IsTruncated": len(found) > most,
        "Parts": [
            {
                "PartNumber": number,
                "LastModified": part.modified // 1000,
                "ETag": quoted(part.etag),
                "Size": part.size,
                **({checksums.member(begun.algorithm): part.checksum} if begun.explicit else {}),
            }
            for number, part in listed
        ],
        **_people(bucket, begun),
        "StorageClass": begun.template.storage_class,
        **({"ChecksumAlgorithm": begun.algorithm, "ChecksumType": begun.type} if begun.explicit else {}),
        **await _abort_rule(tx, bucket, params["Key"], begun),
    }


def _people(bucket: Bucket, begun: Upload) -> dict[str, Any]:
    # API reference, "Initiator": an account is shown by its canonical user id, a user by his ARN and his name.
    _, is_user, name = begun.arn.rpartition("/")
    return {
        "Initiator": {
            "ID": begun.arn if is_user else canonical_id(begun.account),
            "DisplayName": name if is_user else begun.account,
        },
        "Owner": owner(acl.object_owner(bucket, begun.template.acl)),
    }


def to_api(bucket: Bucket, key: str, upload_id: str, begun: Upload) -> dict[str, Any]:
    """Return an upload as ListMultipartUploads shows it."""
    return {
        "Key": key,
        "UploadId": upload_id,
        "Initiated": begun.template.modified // 1000,
        "StorageClass": begun.template.storage_class,
        **_people(bucket, begun),
        **({"ChecksumAlgorithm": begun.algorithm, "ChecksumType": begun.type} if begun.explicit else {}),
    }


# -- the end


async def abort(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Give an upload up; its parts are removed."""
    bucket, begun = await _find(ctx, tx, params, "s3:AbortMultipartUpload", own=True)
    expected = params.get("IfMatchInitiatedTime")
    if expected is not None and int(expected) != begun.template.modified // 1000:
        raise conditions.failed("x-amz-if-match-initiated-time")
    await forget(tx, bucket, params["Key"], params["UploadId"], int(ctx.now() * 1000))
    return None


async def forget(tx: Transaction, bucket: Bucket, key: str, upload_id: str, now: int) -> None:
    """Remove an upload and its parts, at `now` in milliseconds since the epoch."""
    garbage.release(tx, [part.blob for _, part in await parts_of(tx, bucket, upload_id)], now)
    _remove_rows(tx, bucket, key, upload_id)


def _remove_rows(tx: Transaction, bucket: Bucket, key: str, upload_id: str) -> None:
    space = bucket.parts.sub(upload_id)
    tx.delete(bucket.uploads.key(key, upload_id))
    tx.delete_range(space.begin, space.end)


async def any_of(tx: Transaction, bucket: Bucket) -> bool:
    """Whether an upload to a bucket is under way."""
    return bool(await tx.range(bucket.uploads.begin, bucket.uploads.end, limit=1))


async def forget_some(tx: Transaction, bucket: Bucket, now: int) -> bool:
    """Remove some of what uploads to a bucket that is deleted have left; return whether there may be more."""
    rows = await tx.range(bucket.parts.begin, bucket.parts.end, limit=_LISTED)
    garbage.release(tx, [_decode_part(raw).blob for _, raw in rows], now)
    for row, _ in rows:
        tx.delete(row)
    if not rows:
        tx.delete_range(bucket.uploads.begin, bucket.uploads.end)
    return bool(rows)


async def complete(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Make an object of the parts that a request lists; those that it does not are removed."""
    key, upload_id = params["Key"], params["UploadId"]
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    await access.authorize(ctx, tx, bucket, "s3:PutObject", key=key, params=params)
    raw = await tx.get(bucket.uploads.key(key, upload_id))
    if raw is None:
        return await _repeated(ctx, tx, bucket, params)
    begun = decode(raw)
    if conditions.is_conditional(params):
        await _check_undisturbed(tx, bucket, key, begun)
    await check_conditions(ctx, tx, bucket, params)
    _check_key_given(begun, params)
    uploaded = dict(await parts_of(tx, bucket, upload_id))
    chosen = _chosen(params, begun, uploaded)
    checksum = checksums.of_parts(begun.algorithm, begun.type, [(part.checksum, part.size) for _, part in chosen])
    _check_whole(params, begun, checksum, sum(part.size for _, part in chosen))
    now = int(ctx.now() * 1000)
    kept = {number for number, _ in chosen}
    garbage.release(tx, [part.blob for number, part in uploaded.items() if number not in kept], now)
    _remove_rows(tx, bucket, key, upload_id)
    digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for _, part in chosen), usedforsecurity=False).hexdigest()
    parts = tuple(Part(number, part.blob, part.size, part.checksum, part.nonce) for number, part in chosen)
    version = msgspec.structs.replace(
        begun.template,
        modified=now,
        size=sum(part.size for part in parts),
        etag=f"{digest}-{len(parts)}",
        parts=len(parts),
        checksum=checksum,
    )
    version = await versions.put(tx, bucket, key, version, now, parts=parts)
    done = completed.Completed(
        version.id, version.etag, completed.digest((number, part.etag) for number, part in chosen)
    )
    completed.note(tx, bucket, key, upload_id, done, now)
    await events.note(ctx.block, tx, bucket, "ObjectCreated:CompleteMultipartUpload", key, version, ctx=ctx)
    return await _answer(ctx, tx, bucket, key, version)


async def _repeated(ctx: Context, tx: Transaction, bucket: Bucket, params: Params) -> Result:
    """Answer once more for an upload that was completed, with the same parts, while its object is there."""
    key, upload_id = params["Key"], params["UploadId"]
    done = await completed.find(tx, bucket, key, upload_id)
    listed = ((part.get("PartNumber", 0), _etag(part)) for part in _listed(params))
    if done is None or done.listed != completed.digest(listed):
        raise errors.no_such_upload(upload_id)
    version = await versions.find(tx, bucket, key, done.version_id)
    if version is None or version.etag != done.etag:
        raise errors.no_such_upload(upload_id)
    return await _answer(ctx, tx, bucket, key, version)


async def _answer(ctx: Context, tx: Transaction, bucket: Bucket, key: str, version: Version) -> dict[str, Any]:
    return {
        "Location": f"{ctx.endpoint}/{bucket.name}/{quote(key)}",
        "Bucket": bucket.name,
        "Key": key,
        "ETag": quoted(version.etag),
        **_without_customer_key(await written(tx, bucket, key, version)),
        **checksums.to_api(version.checksum),
    }


def _listed(params: Params) -> list[Params]:
    """Return the parts that a request to complete lists. Raises MalformedXML where there are none."""
    listed: list[Params] | None = (params.get("MultipartUpload") or {}).get("Parts")
    if not listed:
        raise errors.malformed_xml()
    return listed


def _etag(entry: Params) -> str:
    return (entry.get("ETag") or "").strip('"')


def _without_customer_key(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if not name.startswith("SSECustomer")}


def _chosen(params: Params, begun: Upload, uploaded: dict[int, UploadedPart]) -> list[tuple[int, UploadedPart]]:
    """Return the parts that the object is made of. Raises AwsError."""
    chosen: list[tuple[int, UploadedPart]] = []
    member = checksums.member(begun.algorithm)
    # API reference, "CompletedPart": where each part has a checksum of its own, they are numbered without gaps.
    in_a_row = begun.explicit and begun.type == checksums.COMPOSITE
    for entry in _listed(params):
        number = entry.get("PartNumber")
        if number is None:
            raise errors.malformed_xml()
        if (chosen and number <= chosen[-1][0]) or (in_a_row and number != len(chosen) + 1):
            raise AwsError(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. The parts list must be specified in order by part "
                "number.",
                status=400,
                UploadId=params["UploadId"],
            )
        part = uploaded.get(number)
        etag = _etag(entry)
        given = {
            name: entry[checksums.member(name)] for name in checksums.ALGORITHMS if checksums.member(name) in entry
        }
        if (
            part is None
            or etag != part.etag
            or not all(part.has(name, begun.algorithm, value) for name, value in given.items())
        ):
            raise _invalid_part(params, number, etag)
        if in_a_row and member not in entry:
            raise errors.invalid_request(
                f"The upload was created using a {begun.algorithm.lower()} checksum. The complete request must include "
                f"the checksum for each part. It was missing for part {number} in the request."
            )
        chosen.append((number, part))
    for number, part in chosen[:-1]:
        if part.size < SMALLEST_PART_BYTES:
            raise AwsError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                status=400,
                ProposedSize=str(part.size),
                MinSizeAllowed=str(SMALLEST_PART_BYTES),
                PartNumber=str(number),
                ETag=part.etag,
            )
    return chosen


def _invalid_part(params: Params, number: int, etag: str) -> AwsError:
    return AwsError(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
        status=400,
        UploadId=params["UploadId"],
        PartNumber=str(number),
        ETag=etag,
    )


def _check_whole(params: Params, begun: Upload, checksum: Checksum, size: int) -> None:
    """Raise AwsError unless the object is what the request says it is."""
    expected = params.get("MpuObjectSize")
    if expected is not None and int(expected) != size:
        raise errors.invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {size}"
        )
    kind = params.get("ChecksumType")
    if kind is not None and kind != begun.type:
        raise errors.invalid_request(
            f"The upload was created using the {begun.type} checksum mode. The complete request must use the same "
            "checksum mode."
        )
    for algorithm in checksums.ALGORITHMS:
        stated = params.get(checksums.member(algorithm))
        if stated is None:
            continue
        computed = checksum.value if "-" in stated else checksum.value.partition("-")[0]
        if algorithm != checksum.algorithm or stated != computed:
            raise AwsError(
                "BadDigest", f"The {algorithm.lower()} you specified did not match the calculated checksum.", status=400
            )
