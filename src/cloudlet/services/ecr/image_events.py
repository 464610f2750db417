"""Events about images, for EventBridge. User guide, "Amazon ECR events and EventBridge"."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.aws import service_events
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.repository import get_arn
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.scan_record import COMPLETE, Scan


def add(tx: Transaction, repository: Repository, action: str, digest: str, tag: str | None, now: float) -> None:
    """Tell of a push or a deletion in a private registry.

    Those in public ones EventBridge does not hear of.
    """
    if repository.is_public:
        return
    detail = _describe(repository, action, digest, tag)
    _add(tx, repository, "ECR Image Action", detail, [], now)


def add_replication(
    tx: Transaction, repository: Repository, digest: str, tag: str | None, source: Repository, now: float
) -> None:
    """Tell of an image that has come from another registry."""
    detail = {
        **_describe(repository, "REPLICATE", digest, tag),
        "source-account": source.account,
        "source-region": source.region,
    }
    _add(tx, repository, "ECR Replication Action", detail, [get_arn(repository)], now)


def add_scan(tx: Transaction, repository: Repository, image: Image, scan: Scan, now: float) -> None:
    """Tell how a scan has ended."""
    detail: dict[str, Any] = {
        "scan-status": scan.status,
        "repository-name": repository.name,
        "image-digest": image.digest,
        "image-tags": list(image.tags),
    }
    if scan.status == COMPLETE:
        detail["finding-severity-counts"] = scan.counts
    _add(tx, repository, "ECR Image Scan", detail, [get_arn(repository)], now)


def add_cache(
    tx: Transaction, repository: Repository, prefix: str, upstream: str, digest: str, tag: str, now: float
) -> None:
    """Tell of an image that was pulled from an upstream registry."""
    detail = {
        "rule-version": "1",
        "sync-status": "SUCCESS",
        "ecr-repository-prefix": prefix,
        "repository-name": repository.name,
        "upstream-registry-url": upstream,
        "image-tag": tag,
        "image-digest": digest,
    }
    _add(tx, repository, "ECR Pull Through Cache Action", detail, [get_arn(repository)], now)


def _describe(repository: Repository, action: str, digest: str, tag: str | None) -> dict[str, Any]:
    detail = {
        "result": "SUCCESS",
        "repository-name": repository.name,
        "image-digest": digest,
        "action-type": action,
    }
    return detail if not tag else {**detail, "image-tag": tag}


def _add(
    tx: Transaction, repository: Repository, kind: str, detail: dict[str, Any], resources: list[str], now: float
) -> None:
    entry = {
        "Source": "aws.ecr",
        "DetailType": kind,
        "Detail": json.dumps(detail),
        "Resources": resources,
        "Time": now,
    }
    service_events.add(tx, repository.account, repository.region, entry)
