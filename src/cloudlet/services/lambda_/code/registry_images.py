"""Container images of functions in Amazon ECR, pulled by its API.

Developer guide, "Create a Lambda function using a container image": Lambda needs the repository's permission, and gives
it to itself where the caller may set the repository's policy.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from cloudlet.core import AwsError, Context
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines import images
from cloudlet.engines.http_client import HttpClient, HttpError
from cloudlet.engines.images import ImageError, Platform
from cloudlet.services.lambda_.code import unpacking

_NAME: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_URI: Final = re.compile(
    r"(?:[a-z0-9.-]+(?::\d+)?/)?"
    r"(?P<registry>(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)/"
    rf"(?P<name>{_NAME})(?::(?P<tag>\w[\w.-]{{0,127}})|@(?P<digest>sha256:[0-9a-f]{{64}}))?",
    re.ASCII,
)
"""An image by AWS's name of its registry, or by `repositoryUri`, which has that too."""
_PIECE_BYTES: Final = 8 << 20
_TIMEOUT_SECONDS: Final = 60.0
_SID: Final = "LambdaECRImageRetrievalPolicy"
_ACTIONS: Final = (
    "ecr:BatchGetImage",
    "ecr:DeleteRepositoryPolicy",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:SetRepositoryPolicy",
)
ABSENT: Final = ("ImageNotFoundException", "LayersNotFoundException", "RepositoryNotFoundException")
_CLIENT: Final = PerBlock(lambda block: HttpClient(connections=8, ssl_context=_trust_authority(block)))


def _trust_authority(block: Block) -> ssl.SSLContext | None:
    """Return what trusts this Cloudlet's own endpoint, where it needs an authority for that."""
    authority = block.cloud.config.authority
    if authority is None:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(authority)
    return context


class RegistryImage(NamedTuple):
    """The image that a URI names."""

    registry: str
    account: str
    region: str
    name: str
    tag: str | None
    digest: str | None

    @property
    def image_id(self) -> dict[str, str]:
        """The image as ECR's API names it."""
        return {"imageDigest": self.digest} if self.digest is not None else {"imageTag": self.tag or "latest"}

    def resolve(self, digest: str) -> str:
        """Return the URI of the same image by its digest."""
        return f"{self.registry}/{self.name}@{digest}"


class _Document(msgspec.Struct, frozen=True):
    config: images.Descriptor | None = None
    layers: list[images.Descriptor] = []
    manifests: list[images.Descriptor] = []


def parse(uri: str) -> RegistryImage | None:
    """Return the image that a URI names in ECR."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    groups = match.groupdict()
    return RegistryImage(**{name: groups[name] for name in RegistryImage._fields})


@asynccontextmanager
async def pull(
    block: Block, source: RegistryImage, platform: Platform, function: str, *, with_layers: bool
) -> AsyncIterator[tuple[Path, str]]:
    """Have a layout with an image for a while, and the digest of its manifest.

    `function` is the ARN of the function that it is for. Raises AwsError, ImageError.
    """
    folder = await asyncio.to_thread(unpacking.make_fresh_folder, block)
    try:
        pull = _Pull(block, source, function, folder / "blobs" / "sha256")
        yield folder, await pull.run(platform, with_layers=with_layers)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)


class _Pull:
    """One image on its way into a folder."""

    def __init__(self, block: Block, source: RegistryImage, function: str, blobs: Path) -> None:
        self._block = block
        self._source = source
        self._function = function
        self._blobs = blobs

    async def run(self, platform: Platform, *, with_layers: bool) -> str:
        """Fetch the image for a platform; return the digest of its manifest."""
        await asyncio.to_thread(self._blobs.mkdir, parents=True)
        digest, document = await self._load_manifest(self._source.image_id)
        if document.manifests:
            wanted = [each for each in document.manifests if each.platform in (None, platform)]
            if not wanted:
                raise ImageError(f"there is no image for {platform}")
            digest, document = await self._load_manifest({"imageDigest": wanted[0].digest})
        if document.config is None:
            raise ImageError("the manifest is that of no image")
        await self._download(document.config)
        for layer in document.layers if with_layers else ():
            await self._download(layer)
        return digest

    async def _load_manifest(self, image: dict[str, str]) -> tuple[str, _Document]:
        answer = await self._call("BatchGetImage", {"imageIds": [image]})
        if not answer["images"]:
            raise AwsError("ImageNotFoundException", "There is no such image in the repository.")
        found = answer["images"][0]
        text, digest = found["imageManifest"].encode(), found["imageId"]["imageDigest"]
        await asyncio.to_thread(self._get_path(digest).write_bytes, text)
        try:
            return digest, msgspec.json.decode(text, type=_Document)
        except (ValueError, RecursionError) as error:
            raise ImageError(f"the manifest is not as it should be: {error}") from None

    def _get_path(self, digest: str) -> Path:
        algorithm, _, name = digest.partition(":")
        if algorithm != "sha256" or not re.fullmatch("[0-9a-f]{64}", name):
            raise ImageError(f"{digest[:200]!r} is no digest")
        return self._blobs / name

    async def _download(self, blob: images.Descriptor) -> None:
        path = self._get_path(blob.digest)
        url = (await self._call("GetDownloadUrlForLayer", {"layerDigest": blob.digest}))["downloadUrl"]
        with await asyncio.to_thread(path.open, "wb") as file:
            for begin in range(0, blob.size, _PIECE_BYTES):
                end = min(begin + _PIECE_BYTES, blob.size)
                wanted = [("range", f"bytes={begin}-{end - 1}")]
                try:
                    response = await _CLIENT.get(self._block).request(
                        "GET", url, wanted, timeout=_TIMEOUT_SECONDS, limit=_PIECE_BYTES
                    )
                except HttpError as error:
                    raise ImageError(f"the layer {blob.digest} cannot be downloaded: {error}") from None
                if response.status != 206:
                    raise ImageError(f"the layer {blob.digest} cannot be downloaded: {response.status}")
                await asyncio.to_thread(file.write, response.body)

    async def _call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call ECR as Lambda itself. Raises AwsError."""
        source = self._source
        named = {"registryId": source.account, "repositoryName": source.name}
        account = self._function.split(":")[4]
        answer = await self._block.call(
            "ecr", operation, {**named, **params}, account=account, region=source.region, source_arn=self._function
        )
        return dict(answer or {})


async def grant_access(ctx: Context, source: RegistryImage) -> bool:
    """Have the repository's policy let Lambda pull, as the caller; return whether it does now."""
    named = {"registryId": source.account, "repositoryName": source.name}
    try:
        text = await _load_policy(ctx, named)
        policy: dict[str, Any] = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
        statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        added = {
            "Sid": _SID,
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": list(_ACTIONS),
            "Condition": {"StringLike": {"aws:sourceArn": f"arn:aws:lambda:{ctx.region}:{ctx.account}:function:*"}},
        }
        changed = {**policy, "Statement": [*(each for each in statements if each.get("Sid") != _SID), added]}
        await ctx.call_as_caller("ecr", "SetRepositoryPolicy", {**named, "policyText": json.dumps(changed)})
    except AwsError:
        return False
    return True


async def _load_policy(ctx: Context, named: dict[str, str]) -> str:
    try:
        answer = await ctx.call_as_caller("ecr", "GetRepositoryPolicy", named)
    except AwsError as error:
        if error.code == "RepositoryPolicyNotFoundException":
            return ""
        raise
    return str((answer or {})["policyText"])
