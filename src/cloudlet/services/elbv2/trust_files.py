"""The files of trust stores: authorities and revocation lists.

They are read from S3, and can be downloaded again.
"""

from __future__ import annotations

import hmac
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode

from cloudlet.core import AwsError, Context
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2 import limits, storing
from cloudlet.services.elbv2.block import service
from cloudlet.wire import HttpRequest, HttpResponse
from cloudlet.wire.bodies import pieces_of

_FOLDER: Final = "trust-stores"
_SECONDS: Final = 600
_BUNDLE: Final = "bundle"


class InvalidBundle(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidCaCertificatesBundleException", message)


class InvalidRevocation(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidRevocationContentException", message)


async def load(ctx: Context, bucket: str, key: str, version: str | None, absent: AwsError, large: AwsError) -> bytes:
    """Return an object of S3, read as the caller. Raises `absent` and `large`."""
    # One byte more than is admitted tells that there are too many.
    params = {"Bucket": bucket, "Key": key, "Range": f"bytes=0-{limits.MAX_TRUST_FILE_BYTES}"}
    if version:
        params["VersionId"] = version
    try:
        body = (await ctx.call_as_caller("s3", "GetObject", params) or {})["Body"]
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        raise absent from None
    content = b"".join([piece async for piece in pieces_of(body)])
    if len(content) > limits.MAX_TRUST_FILE_BYTES:
        raise large
    return content


async def parse_bundle(ctx: Context, content: bytes) -> tuple[str, int]:
    """Return authorities in PEM, and how many they are. Raises InvalidBundle."""
    try:
        text, count = await run_in_worker(ctx.account, _parse_bundle, content)
    except ValueError:
        raise InvalidBundle("The specified ca certificate bundle is in an invalid format, or corrupt.") from None
    if count > limits.MAX_AUTHORITIES:
        raise InvalidBundle(f"A ca certificate bundle can only have '{limits.MAX_AUTHORITIES}' certificates")
    return text, count


def _parse_bundle(content: bytes) -> tuple[str, int]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_pem_x509_certificates(content)
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found), len(found)


async def parse_revocations(ctx: Context, content: bytes) -> tuple[bytes, int]:
    """Return a revocation list in PEM, and how many entries it has. Raises InvalidRevocation."""
    try:
        return await run_in_worker(ctx.account, _parse_revocations, content)
    except ValueError:
        text = "The provided revocation file is an invalid format, or uses an incorrect algorithm."
        raise InvalidRevocation(text) from None


def _parse_revocations(content: bytes) -> tuple[bytes, int]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_pem_x509_crl(content)
    return found.public_bytes(Encoding.PEM), len(found)


# Downloads, by URLs that hold for ten minutes


def make_location(ctx: Context, name: str, file: int | None = None) -> str:
    """Return the URL of a trust store's bundle, or of a revocation list."""
    path = "/".join((ctx.account, ctx.region, quote(name, safe=""), _BUNDLE if file is None else str(file)))
    expires = str(int(ctx.now()) + _SECONDS)
    query = urlencode({"expires": expires, "signature": _sign(ctx.block, path, expires)})
    return f"{ctx.endpoint}/_cloudlet/{service.name}/{_FOLDER}/{path}?{query}"


def _sign(block: Block, path: str, expires: str) -> str:
    # No access key has spaces in it.
    return block.cloud.tokens.derive_secret(f"trust store {path} {expires}")


@service.folder(_FOLDER)
async def answer(block: Block, request: HttpRequest, path: str) -> HttpResponse:
    """Answer a GET of a file."""
    query = {name: values[0] for name, values in parse_qs(request.query).items()}
    expires = query.get("expires", "")
    signed = hmac.compare_digest(query.get("signature", "").encode(), _sign(block, path, expires).encode())
    if not signed or int(expires) < block.clock.now():
        return HttpResponse(403, [("content-type", "text/plain")], b"The URL is not valid, or not any more.\n")
    account, region, name, file = path.split("/")

    async def read(tx: Any) -> bytes | None:
        if file != _BUNDLE:
            found: bytes | None = await tx.get(storing.REVOCATION_FILES.key(account, region, unquote(name), int(file)))
            return found
        store = await storing.TRUST_STORES.find(tx, account, region, unquote(name))
        return None if store is None else store.bundle.encode()

    content = await block.store.transact(read)
    if content is None:
        return HttpResponse(404, [("content-type", "text/plain")], b"The file is not there any more.\n")
    return HttpResponse(200, [("content-type", "application/x-pem-file")], content)
