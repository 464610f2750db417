"""The operations on scans of images."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ecr import errors, findings, images, registry, repository, scanners, scanning
from cloudlet.services.ecr.access import open_repository
from cloudlet.services.ecr.api_repositories import show_name
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.registry_record import Registry
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE

_MAX_LISTED_FINDINGS: Final = 100


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
    if not scanning.is_scannable(image):
        raise errors.UnsupportedImageType(image.artifact_type or image.media_type)
    if scanners.find() is None:
        raise errors.ValidationError(scanning.NO_SCANNER)
    last = scanning.get(image)
    if last is not None and ctx.now() - last.begun < scanning.INTERVAL_SECONDS:
        raise errors.LimitExceededError("The scan quota per image has been exceeded. Wait and try again.")
    begun = scanning.begin(tx, found, image, ctx.now())
    images.save(tx, found, begun)
    return _show_scan(found, begun, id)


@service.operation("DescribeImageScanFindings")
async def describe_image_scan_findings(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "DescribeImageScanFindings")
    id = params["imageId"]
    image = await images.get_named(tx, found, id.get("imageDigest"), id.get("imageTag"))
    scan = scanning.get(image)
    if scan is None:
        asked = errors.describe_image(id.get("imageDigest"), id.get("imageTag"))
        raise AwsError(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{asked}' in the repository with name '{found.name}' in the "
            f"registry with id '{found.account}'",
        )
    shown, summary = _show_scan(found, image, id), scanning.show_summary(scan)
    if summary is None:
        return shown
    limit = params.get("maxResults") or _MAX_LISTED_FINDINGS
    listed, token = await findings.list_page(tx, found.id, image.digest, params.get("nextToken"), limit)
    return {**shown, "imageScanFindings": {**summary, "findings": listed}, "nextToken": token}


def _show_scan(about: Repository, image: Image, id: dict[str, str]) -> dict[str, Any]:
    """Return the members of answers about the scan of an image that has one."""
    scan = scanning.get(image)
    named = {"imageDigest": image.digest, "imageTag": id.get("imageTag")}
    return {
        **show_name(about),
        "imageId": named,
        "imageScanStatus": None if scan is None else scanning.show_status(scan),
    }
