"""The operations on lifecycle policies."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.ecr import errors, images, lifecycle, lifecycle_policy, lifecycle_timers, repository
from cloudlet.services.ecr.access import open_repository
from cloudlet.services.ecr.api_repositories import show_name
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.lifecycle_policy import Outcome
from cloudlet.services.ecr.repository_record import Repository

_MAX_LISTED_RESULTS: Final = 100


class _LifecyclePolicyNotFound(AwsError):
    """A repository without a lifecycle policy."""

    def __init__(self, name: str, account: str) -> None:
        super().__init__(
            "LifecyclePolicyNotFoundException",
            f"Lifecycle policy does not exist for the repository with name '{name}' in the registry with id "
            f"'{account}'",
        )


@service.operation("PutLifecyclePolicy")
async def put_lifecycle_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "PutLifecyclePolicy")
    text = params["lifecyclePolicyText"]
    lifecycle_policy.parse(text)
    changed = replace(found, lifecycle=text)
    repository.save(tx, changed if found.lifecycle else lifecycle_timers.schedule(tx, changed, ctx.now()))
    return {**show_name(found), "lifecyclePolicyText": text}


@service.operation("GetLifecyclePolicy")
async def get_lifecycle_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "GetLifecyclePolicy")
    if not found.lifecycle:
        raise _LifecyclePolicyNotFound(found.name, found.account)
    shown = {"lifecyclePolicyText": found.lifecycle, "lastEvaluatedAt": found.evaluated}
    return {**show_name(found), **shown}


@service.operation("DeleteLifecyclePolicy")
async def delete_lifecycle_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "DeleteLifecyclePolicy")
    if not found.lifecycle:
        raise _LifecyclePolicyNotFound(found.name, found.account)
    repository.save(tx, replace(found, lifecycle="", evaluated=0.0))
    shown = {"lifecyclePolicyText": found.lifecycle, "lastEvaluatedAt": found.evaluated}
    return {**show_name(found), **shown}


@service.operation("StartLifecyclePolicyPreview")
async def start_lifecycle_policy_preview(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "StartLifecyclePolicyPreview")
    text = params.get("lifecyclePolicyText") or found.lifecycle
    if not text:
        raise _LifecyclePolicyNotFound(found.name, found.account)
    lifecycle_policy.parse(text)
    repository.save(tx, replace(found, preview=text))
    return {**show_name(found), "lifecyclePolicyText": text, "status": "IN_PROGRESS"}


@service.direct("GetLifecyclePolicyPreview")
async def get_lifecycle_policy_preview(ctx: Context, params: Params) -> Result:
    async def load(tx: Transaction) -> tuple[Repository, list[Image]]:
        found = await open_repository(ctx, tx, params, "GetLifecyclePolicyPreview")
        return found, [image async for image in images.walk(tx, found)] if found.preview else []

    found, known = await ctx.transact(load)
    if not found.preview:
        raise AwsError(
            "LifecyclePolicyPreviewNotFoundException",
            f"Lifecycle policy preview does not exist for the repository with name '{found.name}' in the registry with "
            f"id '{found.account}'",
        )
    outcomes = await lifecycle.evaluate(ctx.account, found.preview, known, ctx.now())
    wanted = [each for each in outcomes if _is_wanted(each, params)]
    begin = _parse_place(params.get("nextToken"))
    end = begin + (params.get("maxResults") or _MAX_LISTED_RESULTS)
    return {
        **show_name(found),
        "lifecyclePolicyText": found.preview,
        "status": "COMPLETE",
        "previewResults": [lifecycle_policy.show(each) for each in wanted[begin:end]],
        "nextToken": page_tokens.make_page_token(str(end).encode()) if end < len(wanted) else None,
        "summary": lifecycle_policy.summarize(outcomes),
    }


def _parse_place(token: str | None) -> int:
    """Return how many results the page of a token comes after. Raises InvalidNextToken."""
    place = page_tokens.parse_name_token(token, errors.InvalidNextToken())
    if place and not (place.isascii() and place.isdecimal() and len(place) < 10):
        raise errors.InvalidNextToken
    return int(place or 0)


def _is_wanted(outcome: Outcome, params: Params) -> bool:
    image, asked = outcome.image, params.get("imageIds")
    status = (params.get("filter") or {}).get("tagStatus", "ANY")
    if status != "ANY" and (status == "TAGGED") != bool(image.tags):
        return False
    return not asked or any(
        each.get("imageDigest") in (None, image.digest) and ("imageTag" not in each or each["imageTag"] in image.tags)
        for each in asked
    )
