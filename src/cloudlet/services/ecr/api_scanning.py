"""The operations on scans: their configuration, and clear errors, since there is no scanner."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ecr import errors, images, registry, repository, scanning
from cloudlet.services.ecr.access import open_repository
from cloudlet.services.ecr.api_repositories import show_name
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.registry_record import Registry
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE


@service.operation("GetRegistryScanningConfiguration")
async def get_registry_scanning_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, ctx.region)
    shown = {"scanType": known.scan_type, "rules": list(known.scan_rules)}
    return {"registryId": ctx.account, "scanningConfiguration": shown}


@service.operation("PutRegistryScanningConfiguration")
async def put_registry_scanning_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    rules = params.get("rules") or []
    if params.get("scanType") == "ENHANCED":
        raise errors.NotBuilt("enhanced scanning, which is Amazon Inspector's")
    if any(rule["scanFrequency"] == "CONTINUOUS_SCAN" for rule in rules):
        raise errors.ValidationError("CONTINUOUS_SCAN is for the scan type ENHANCED")
    known = await registry.load(tx, ctx.account, ctx.region)
    registry.save(tx, replace(known, scan_rules=tuple(rules)))
    return {"registryScanningConfiguration": {"scanType": known.scan_type, "rules": rules}}


@service.operation("BatchGetRepositoryScanningConfiguration")
async def batch_get_repository_scanning_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, ctx.region)
    found, failures = [], []
    for name in params["repositoryNames"]:
        each = await repository.find(tx, ctx.account, ctx.region, name)
        if each is None:
            reason = f"The repository with name '{name}' does not exist in the registry with id '{ctx.account}'"
            failure = {"repositoryName": name, "failureCode": "REPOSITORY_NOT_FOUND", "failureReason": reason}
            failures.append(failure)
        else:
            found.append(_show(known, each))
    return {"scanningConfigurations": found, "failures": failures}


def _show(known: Registry, about: Repository) -> dict[str, Any]:
    applied = scanning.find_filters(known, about.name)
    scans = about.scans_on_push or bool(applied)
    return {
        "repositoryArn": repository.get_arn(about),
        "repositoryName": about.name,
        "scanOnPush": scans,
        "scanFrequency": "SCAN_ON_PUSH" if scans else "MANUAL",
        "appliedScanFilters": applied,
    }


@service.operation("StartImageScan")
async def start_image_scan(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "StartImageScan")
    id = params["imageId"]
    image = await images.get_named(tx, found, id.get("imageDigest"), id.get("imageTag"))
    if image.status != ACTIVE:
        named = errors.describe_image(id.get("imageDigest"), id.get("imageTag"))
        raise AwsError("ImageArchivedException", f"The image with imageId {named} is archived and cannot be scanned.")
    raise errors.ValidationError(scanning.NO_SCANNER)


@service.operation("DescribeImageScanFindings")
async def describe_image_scan_findings(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "DescribeImageScanFindings")
    id = params["imageId"]
    image = await images.get_named(tx, found, id.get("imageDigest"), id.get("imageTag"))
    if not image.is_scan_failed:
        asked = errors.describe_image(id.get("imageDigest"), id.get("imageTag"))
        raise AwsError(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{asked}' in the repository with name '{found.name}' in the "
            f"registry with id '{found.account}'",
        )
    named = {"imageDigest": image.digest, "imageTag": id.get("imageTag")}
    return {**show_name(found), "imageId": named, "imageScanStatus": scanning.show_status()}
