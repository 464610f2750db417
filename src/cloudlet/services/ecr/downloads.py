"""URLs of layers that need no token, for an hour.

API reference, "GetDownloadUrlForLayer".
"""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import parse_qs, urlencode

from cloudlet.core import Context
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import repository
from cloudlet.services.ecr.repository_record import Repository

_VALID_SECONDS: Final = 3600
_KEY: Final = "ecr-layer-download"


def make_url(ctx: Context, about: Repository, digest: str) -> str:
    """Return the URL of a layer."""
    expires = str(int(ctx.now()) + _VALID_SECONDS)
    path = f"{repository.make_registry_name(about.account, about.region)}/{about.name}"
    query = urlencode({"expires": expires, "signature": _sign(ctx.block, about.path, digest, expires)})
    return f"{ctx.endpoint}/v2/{path}/blobs/{digest}?{query}"


def is_signed(block: Block, path: str, digest: str, query: str) -> bool:
    """Whether a query string has a valid signature for a layer.

    `path` is that of its repository (`Repository.path`).
    """
    given = {name: values[0] for name, values in parse_qs(query).items()}
    expires = given.get("expires", "")
    expected = _sign(block, path, digest, expires)
    if not hmac.compare_digest(given.get("signature", "").encode(), expected.encode()):
        return False
    return int(expires) >= block.clock.now()


def _sign(block: Block, path: str, digest: str, expires: str) -> str:
    key = block.cloud.tokens.derive_key(_KEY)
    return hmac.digest(key, f"{path} {digest} {expires}".encode(), "sha256").hex()
