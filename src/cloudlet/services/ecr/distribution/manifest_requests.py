"""Requests for manifests, tags and referrers."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.telemetry.metrics import get_metrics, is_measured
from cloudlet.services.ecr import access, digests, images, manifests, repository
from cloudlet.services.ecr.api_images import KMS_ERROR
from cloudlet.services.ecr.distribution.addressing import TAG
from cloudlet.services.ecr.distribution.call import Call, MethodError
from cloudlet.services.ecr.distribution.responses import API_VERSION, Headers, ProtocolError
from cloudlet.services.ecr.errors import KmsError
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.public_registry import REGION
from cloudlet.services.ecr.storage_class import ACTIVE
from cloudlet.wire import HttpResponse

_JSON: Final = ("content-type", "application/json; charset=utf-8")
_MAX_LISTED_NAMES: Final = 1_000
_NOT_DELETED: Final = "ImageReferencedByManifestList"


async def answer_manifest(call: Call) -> HttpResponse:
    """Answer a request for a manifest by its tag or its digest. Raises AwsError, ProtocolError."""
    reference = call.address.reference
    is_digest = digests.is_digest(reference)
    if not is_digest and TAG.fullmatch(reference) is None:
        code, status = ("DIGEST_INVALID" if ":" in reference else "TAG_INVALID", 400)
        raise ProtocolError(code, f"{reference[:200]!r} is neither a tag nor a digest", status)
    named = {"imageDigest": reference} if is_digest else {"imageTag": reference}
    if call.method in ("GET", "HEAD"):
        return await _answer_pull(call, named)
    if call.method == "PUT":
        return await _push(call, named)
    if call.method == "DELETE":
        return await _delete(call, named)
    raise MethodError(call.method)


async def _answer_pull(call: Call, named: dict[str, str]) -> HttpResponse:
    result = await call.run("BatchGetImage", {"imageIds": [named]})
    if not result["images"]:
        (failure,) = result["failures"]
        if failure["failureCode"] == KMS_ERROR:
            raise KmsError(failure["failureReason"])
        raise _UnknownManifest(call.address.reference, failure["failureReason"])
    found = result["images"][0]
    text = found["imageManifest"].encode()
    if call.method == "GET" and call.ctx.region != REGION and is_measured(call.block):
        dimensions = (("RepositoryName", call.address.name),)
        now = call.ctx.now()
        get_metrics(call.block).add(call.account, call.ctx.region, "RepositoryPullCount", dimensions, now)
    headers = [
        ("content-type", found["imageManifestMediaType"]),
        ("content-length", str(len(text))),
        ("docker-content-digest", found["imageId"]["imageDigest"]),
        API_VERSION,
    ]
    return HttpResponse(200, headers, b"" if call.method == "HEAD" else text)


class _UnknownManifest(ProtocolError):
    """A tag or a digest that no image has, or only one that is archived."""

    def __init__(self, reference: str, reason: str = "Requested image not found") -> None:
        super().__init__("MANIFEST_UNKNOWN", f"{reason}: {reference}", 404)


async def _push(call: Call, named: dict[str, str]) -> HttpResponse:
    try:
        text = (await call.visit.body(manifests.MAX_MANIFEST_BYTES)).decode()
    except UnicodeDecodeError:
        raise ProtocolError("MANIFEST_INVALID", "The manifest is not written in UTF-8", 400) from None
    except ValueError:
        message = f"The manifest is larger than {manifests.MAX_MANIFEST_BYTES} bytes"
        raise ProtocolError("SIZE_INVALID", message, 413) from None
    media_type = call.visit.request.headers.get("content-type", "")
    params = {"imageManifest": text, "imageManifestMediaType": media_type, **named}
    algorithm = digests.get_algorithm(named["imageDigest"]) if "imageDigest" in named else "sha256"
    try:
        await call.run("PutImage", params)
    except AwsError as error:
        if error.code == "LayersNotFoundException":
            raise ProtocolError("MANIFEST_BLOB_UNKNOWN", error.message, 400) from None
        if error.code != "ImageAlreadyExistsException":
            raise
    digest = digests.compute(text.encode(), algorithm)
    headers: Headers = [("location", f"{call.path}/manifests/{digest}"), ("docker-content-digest", digest), API_VERSION]
    subject = manifests.parse(text.encode(), media_type).subject
    if subject:
        headers.append(("oci-subject", subject))
    return HttpResponse(201, headers)


async def _delete(call: Call, named: dict[str, str]) -> HttpResponse:
    result = await call.run("BatchDeleteImage", {"imageIds": [named]})
    for failure in result["failures"]:
        if failure["failureCode"] == _NOT_DELETED:
            raise ProtocolError("DENIED", failure["failureReason"], 403)
        raise _UnknownManifest(call.address.reference)
    return HttpResponse(202, [API_VERSION])


async def list_tags(call: Call) -> HttpResponse:
    """Answer a request for the tags of a repository. Raises AwsError, ProtocolError."""
    _check_reading(call)
    if call.address.reference != "list":
        raise ProtocolError("UNSUPPORTED", "There is nothing but a list of tags", 404)
    count, last = _read_page(call)

    async def body(tx: Transaction) -> list[str]:
        found = await access.open_named(call.ctx, tx, call.account, call.address.name, "ListImages")
        space = images.get_tag_space(found)
        begin = space.key(last) + b"\x00" if last else space.begin
        return [space.unpack(key)[0] for key, _ in await tx.range(begin, space.end, limit=count + 1)]

    tags = await call.ctx.transact(body)
    return _show_page(f"{call.path}/tags/list", {"name": call.address.given}, "tags", tags, count)


async def list_repositories(call: Call) -> HttpResponse:
    """Answer a request for the names of a registry's repositories. Raises AwsError, ProtocolError."""
    _check_reading(call)
    count, last = _read_page(call)

    async def body(tx: Transaction) -> list[str]:
        await access.authorize(call.ctx, tx, call.account, "*", "DescribeRepositories", None)
        space = repository.get_space(call.account, call.ctx.region)
        rows = await listing.list_names(tx, space, "", last, count + 1)
        return [space.unpack(key)[0] for key, _ in rows]

    names = await call.ctx.transact(body)
    return _show_page("/v2/_catalog", {}, "repositories", names, count)


def _check_reading(call: Call) -> None:
    if call.method not in ("GET", "HEAD"):
        raise MethodError(call.method)


def _read_page(call: Call) -> tuple[int, str]:
    """Return how many names are asked for, and the name before the first of them. Raises ProtocolError."""
    given = call.query.get("n", str(_MAX_LISTED_NAMES))
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise ProtocolError("PAGINATION_NUMBER_INVALID", "n is no number", 400)
    return min(int(given), _MAX_LISTED_NAMES), call.query.get("last", "")


def _show_page(path: str, shown: dict[str, object], member: str, names: list[str], count: int) -> HttpResponse:
    headers = [_JSON, API_VERSION]
    page = names[:count]
    if page and len(names) > count:
        query = urlencode({"n": count, "last": page[-1]})
        headers.append(("link", f'<{path}?{query}>; rel="next"'))
    return HttpResponse(200, headers, msgspec.json.encode({**shown, member: page}))


async def list_referrers(call: Call) -> HttpResponse:
    """Answer a request for what is about a manifest. Raises AwsError, ProtocolError."""
    _check_reading(call)
    subject = call.address.reference
    if not digests.is_digest(subject):
        raise ProtocolError("DIGEST_INVALID", f"{subject[:200]!r} is no digest", 400)

    async def body(tx: Transaction) -> list[Image]:
        found = await access.open_named(call.ctx, tx, call.account, call.address.name, "BatchGetImage")
        referrers = await images.list_referrers(tx, found, subject)
        return [each for each in referrers if each.status == ACTIVE]

    found = await call.ctx.transact(body)
    headers = [("content-type", manifests.OCI_INDEX), API_VERSION]
    wanted = call.query.get("artifactType")
    if wanted:
        found = [each for each in found if each.artifact_type == wanted]
        headers.append(("oci-filters-applied", "artifactType"))
    index = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": [_describe(each) for each in found]}
    return HttpResponse(200, headers, msgspec.json.encode(index))


def _describe(image: Image) -> dict[str, object]:
    shown: dict[str, object] = {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": image.manifest_size,
    }
    if image.artifact_type:
        shown["artifactType"] = image.artifact_type
    if image.annotations:
        shown["annotations"] = image.annotations
    return shown
