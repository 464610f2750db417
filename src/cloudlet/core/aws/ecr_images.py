"""Images in this Cloudlet's ECR, got by its API as agents do."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.engines.images import Descriptor, ImageError, Platform
from cloudlet.engines.images.manifests import choose, read_document

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_NAME: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_URI: Final = re.compile(
    r"(?:[a-z0-9.-]+(?::\d+)?/)?"
    r"(?P<registry>(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)/"
    rf"(?P<name>{_NAME})(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?",
    re.ASCII,
)
"""An image by AWS's name of its registry, or by `repositoryUri`, which has that too."""
_PIECE_BYTES: Final = 8 << 20
_TIMEOUT_SECONDS: Final = 60.0


def _open_client(block: Block) -> HttpClient:
    authority = block.cloud.config.authority
    if authority is None:
        return HttpClient(connections=8)
    context = ssl.create_default_context()
    context.load_verify_locations(authority)
    return HttpClient(connections=8, ssl_context=context)


CLIENT: Final = PerBlock(_open_client)


class Reference(NamedTuple):
    """The image that a URI names."""

    registry: str
    account: str
    region: str
    name: str
    tag: str | None
    digest: str | None

    def resolve(self, digest: str) -> str:
        """Return the URI of the same image by its digest."""
        return f"{self.registry}/{self.name}@{digest}"


def parse(uri: str) -> Reference | None:
    """Return the image that a URI names in ECR."""
    match = _URI.fullmatch(uri)
    return None if match is None else Reference(**match.groupdict())


class NoSuchImage(ImageError):
    """An image that is not in its repository."""


class CallEcr(Protocol):
    """A function that calls ECR for somebody. Raises AwsError."""

    async def __call__(self, operation: str, params: dict[str, Any], /, *, region: str) -> Mapping[str, Any] | None: ...


class EcrImage:
    """An image in ECR."""

    def __init__(self, block: Block, named: Reference, call: CallEcr) -> None:
        self._block = block
        self._named = named
        self._call_ecr = call

    async def find(self, platform: Platform) -> tuple[str, bytes]:
        """Return the digest of the manifest for a platform, and the manifest. Raises AwsError and ImageError."""
        named = self._named
        wanted = {"imageDigest": named.digest} if named.digest else {"imageTag": named.tag or "latest"}
        digest, text = await self._load(wanted)
        chosen = choose(read_document(text), platform)
        return (digest, text) if chosen is None else await self._load({"imageDigest": chosen})

    async def _load(self, image: dict[str, str]) -> tuple[str, bytes]:
        answer = await self._call("BatchGetImage", {"imageIds": [image]})
        if not answer["images"]:
            raise NoSuchImage("not found")
        found = answer["images"][0]
        return found["imageId"]["imageDigest"], found["imageManifest"].encode()

    async def read_blob(self, blob: Descriptor) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob. Raises AwsError and ImageError."""
        url = (await self._call("GetDownloadUrlForLayer", {"layerDigest": blob.digest}))["downloadUrl"]
        for begin in range(0, blob.size, _PIECE_BYTES):
            end = min(begin + _PIECE_BYTES, blob.size)
            wanted = [("range", f"bytes={begin}-{end - 1}")]
            try:
                response = await CLIENT.get(self._block).request(
                    "GET", url, wanted, timeout=_TIMEOUT_SECONDS, limit=_PIECE_BYTES
                )
            except HttpError as error:
                raise ImageError(f"the layer {blob.digest} cannot be downloaded: {error}") from None
            if response.status != 206:
                raise ImageError(f"the layer {blob.digest} cannot be downloaded: {response.status}")
            yield bytes(response.body)

    async def _call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        named = {"registryId": self._named.account, "repositoryName": self._named.name}
        return dict(await self._call_ecr(operation, {**named, **params}, region=self._named.region) or {})
