"""Container images of functions in Amazon ECR, pulled by its API.

Developer guide, "Create a Lambda function using a container image": Lambda needs the repository's permission, and gives
it to itself where the caller may set the repository's policy.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from cloudlet.core import AwsError, Context
from cloudlet.core.aws.ecr_images import EcrImage, NoSuchImage, Reference
from cloudlet.core.kernel.block import Block
from cloudlet.engines.images import Platform
from cloudlet.engines.images.blob_store import BlobStore, give_once
from cloudlet.engines.images.manifests import read_document
from cloudlet.services.lambda_.code import unpacking

_SID: Final = "LambdaECRImageRetrievalPolicy"
_ACTIONS: Final = (
    "ecr:BatchGetImage",
    "ecr:DeleteRepositoryPolicy",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:SetRepositoryPolicy",
)
ABSENT: Final = ("ImageNotFoundException", "LayersNotFoundException", "RepositoryNotFoundException")


@asynccontextmanager
async def pull(
    block: Block, source: Reference, platform: Platform, function: str, *, with_layers: bool
) -> AsyncIterator[tuple[Path, str]]:
    """Have a layout with an image for a while, and the digest of its manifest.

    `function` is the ARN of the function that it is for. Raises AwsError, ImageError.
    """
    calling = partial(block.call, "ecr", account=function.split(":")[4], source_arn=function)
    image = EcrImage(block, source, calling)
    folder = await asyncio.to_thread(unpacking.make_fresh_folder, block)
    store = BlobStore(folder / "blobs" / "sha256")
    try:
        digest, manifest = await image.find(platform)
        await store.keep(digest, give_once(manifest))
        config, *layers = read_document(manifest).blobs
        for blob in (config, *layers) if with_layers else (config,):
            await store.keep(blob.digest, image.read_blob(blob), blob.size)
        yield folder, digest
    except NoSuchImage:
        raise AwsError("ImageNotFoundException", "There is no such image in the repository.") from None
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)


async def grant_access(ctx: Context, source: Reference) -> bool:
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
