"""Scans of images, which Cloudlet cannot make: it has no scanner."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Transaction
from cloudlet.services.ecr import registry
from cloudlet.services.ecr.registry_record import Registry
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.wildcards import is_match

NO_SCANNER: Final = "Cloudlet has no scanner: images are not scanned for vulnerabilities."


def show_status() -> dict[str, str]:
    """Return the status of a scan that was due when an image was pushed."""
    return {"status": "FAILED", "description": NO_SCANNER}


def find_filters(known: Registry, name: str) -> list[dict[str, str]]:
    """Return the filters by which a registry has a repository scanned on push."""
    return [
        each
        for rule in known.scan_rules
        if rule["scanFrequency"] == "SCAN_ON_PUSH"
        for each in rule["repositoryFilters"]
        if _is_matched(each["filter"], name)
    ]


def _is_matched(pattern: str, name: str) -> bool:
    """Whether a filter is about a repository. One without a wildcard is about names that contain it."""
    return is_match(pattern if "*" in pattern else f"*{pattern}*", name)


async def is_due(tx: Transaction, repository: Repository) -> bool:
    """Whether the images of a repository are to be scanned when they are pushed."""
    if repository.scans_on_push:
        return True
    known = await registry.load(tx, repository.account, repository.region)
    return bool(find_filters(known, repository.name))
