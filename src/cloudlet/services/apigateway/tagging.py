"""Tags of APIs, stages, domain names and VPC links. API reference, "TagResource"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.apigateway import domains, errors, links
from cloudlet.services.apigateway.documents import find_part, get_api

_ARN = re.compile(r"arn:aws[\w-]*:apigateway:[\w-]+::/(?P<path>.+)")
_STAGE = re.compile(r"apis/(?P<api>[^/]+)/stages/(?P<stage>.+)")


def arn(region: str, path: str) -> str:
    """Return the ARN of a resource by its path, such as apis/abc123."""
    return f"arn:{partition_of(region)}:apigateway:{region}::/{path}"


def key(ctx: Context, path: str) -> str:
    """Return under what the tags of a resource are kept: its ARN names no account."""
    return f"{ctx.account}/{arn(ctx.region, path)}"


def checked(given: Mapping[str, str] | None, known: Mapping[str, str] | None = None) -> tags.Tags:
    """Return tags with those of a request. Raises AwsError."""
    return tags.merge(known or {}, given or {}, errors.bad_request)


async def shown(tx: Transaction, key: str) -> dict[str, tags.Tags]:
    """Return tags as the first version shows them: not at all where there are none."""
    found = await tags.load(tx, key)
    return {"tags": found} if found else {}


def path_in(resource: str) -> str:
    """Return the path in the ARN of a resource. Raises AwsError."""
    match = _ARN.fullmatch(resource)
    if match is None:
        raise wrong_arn(resource)
    return match["path"]


def wrong_arn(resource: str) -> AwsError:
    """An ARN of nothing that has tags."""
    return errors.bad_request(f"Invalid ARN specified in the request: {resource}")


async def find(ctx: Context, tx: Transaction, resource: str) -> tags.Tags:
    """Return the tags of a resource, for policies, with those that it inherits.

    Developer guide, "API Gateway resources that can be tagged": of APIs of the second version nothing is inherited.
    """
    match = _ARN.fullmatch(resource)
    path = "" if match is None else unquote(match["path"].lstrip("/"))
    if path.startswith("tags/"):
        return await find(ctx, tx, path.removeprefix("tags/"))
    steps = path.split("/")
    inherits = steps[0] != "apis"
    ends = range(2, len(steps) + 1, 2) if inherits else [len(steps)]
    found: tags.Tags = {}
    for end in ends:
        found |= await tags.load(tx, key(ctx, "/".join(steps[:end])))
    return found


async def path_of(ctx: Context, tx: Transaction, resource: str) -> str:
    """Return the path of a resource that is there, by its ARN. Raises AwsError."""
    path = path_in(resource)
    kind, _, name = path.partition("/")
    stage = _STAGE.fullmatch(path)
    if stage is not None:
        await get_api(ctx, tx, stage["api"])
        if await find_part(tx, stage["api"], "Stage", stage["stage"]) is None:
            raise errors.no_such("stage")
    elif kind == "apis":
        await get_api(ctx, tx, name)
    elif kind == "domainnames":
        await domains.get(ctx, tx, name)
    elif kind == "vpclinks":
        await links.get(ctx, tx, name)
    else:
        raise wrong_arn(resource)
    return path
