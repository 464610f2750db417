"""Basic scans of images for vulnerabilities, by a scanner that is found on this machine.

User guide, "Scan images for OS vulnerabilities in Amazon ECR".
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.host.temporary_folder import TemporaryFolder
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.ecr import (
    errors,
    findings,
    image_events,
    images,
    layouts,
    registry,
    repository,
    scanners,
)
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.registry_record import Registry
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.scan_record import COMPLETE, FAILED, IN_PROGRESS, UNSUPPORTED_IMAGE, Scan
from cloudlet.services.ecr.scanner_reports import Report
from cloudlet.services.ecr.scanners import ScannerError
from cloudlet.services.ecr.wildcards import is_match
from cloudlet.store.blobs import MissingBlob, in_thread

NO_SCANNER: Final = (
    "Cloudlet has found no scanner: neither trivy nor grype is on its PATH or named by CLOUDLET_SCANNER."
)
INTERVAL_SECONDS: Final = 24 * 3600.0
"""API reference, "StartImageScan": an image is scanned once within that time."""
_SCANNABLE: Final = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
"""The media types of the configurations of images, which other artifacts do not have."""
_UNSUPPORTED: Final = "UnsupportedImageError: The operating system and/or package manager are not supported."
_DONE: Final = "The scan was completed successfully."
_MAX_FINDINGS: Final = 200
"""Findings that are written in one transaction."""
_NOTHING: Final = Report([], {}, 0.0, is_supported=False)
# Others may have this data folder, too, where the block's rows are in a PostgreSQL.
_FOLDER: Final = PerBlock(lambda block: TemporaryFolder(block.cloud.config.data / "work" / block.service.name))


def get(image: Image) -> Scan | None:
    """Return the last scan of an image."""
    # An older Cloudlet, which had no scanner, noted no more than that a scan was due.
    return image.scan or (Scan(FAILED, NO_SCANNER) if image.is_scan_failed else None)


def show_status(scan: Scan) -> dict[str, Any]:
    """Return the status of a scan as the API shows it."""
    return {"status": scan.status, "description": scan.description or None}


def show_summary(scan: Scan) -> dict[str, Any] | None:
    """Return what a scan that is complete has found, but for the findings."""
    if scan.status != COMPLETE:
        return None
    return {
        "imageScanCompletedAt": scan.completed,
        "vulnerabilitySourceUpdatedAt": scan.updated or None,
        "findingSeverityCounts": scan.counts,
    }


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


async def _is_due(tx: Transaction, about: Repository) -> bool:
    """Whether the images of a repository are to be scanned when they are pushed."""
    if about.scans_on_push:
        return True
    return bool(find_filters(await registry.load(tx, about.account, about.region), about.name))


def is_scannable(image: Image) -> bool:
    """Whether it is one image, no index and no other artifact."""
    return image.artifact_type in _SCANNABLE


async def begin_if_due(tx: Transaction, about: Repository, image: Image, now: float) -> Image:
    """Have a pushed image scanned if it is to be; return its record."""
    if not image.layers or not await _is_due(tx, about):
        return image
    if not is_scannable(image):
        return _end(tx, about, image, Scan(UNSUPPORTED_IMAGE, _UNSUPPORTED), now)
    if scanners.find() is None:
        return _end(tx, about, image, Scan(FAILED, NO_SCANNER), now)
    return begin(tx, about, image, now)


def begin(tx: Transaction, about: Repository, image: Image, now: float) -> Image:
    """Have an image scanned; return its record."""
    SCANS.request(tx, about.account, about.region, about.name, about.id, image.digest)
    return replace(image, scan=Scan(IN_PROGRESS, begun=now))


def _end(tx: Transaction, about: Repository, image: Image, scan: Scan, now: float) -> Image:
    """Tell of a scan that has ended; return the image's record."""
    image_events.add_scan(tx, about, image, scan, now)
    return replace(image, scan=scan)


async def _scan(block: Block, key: Key) -> None:
    """Scan an image, unless that was done."""
    # With it goes what a process has left behind that was killed.
    folder = _FOLDER.get(block).path
    state = await block.store.transact(lambda tx: _find(tx, key))
    if state is None:
        return
    about, image = state
    try:
        report = await _run_scanner(block, about, image, folder)
    except ScannerError as error:
        await _keep(block, key, image, _NOTHING, FAILED, str(error))
    except errors.KmsError as error:
        await _keep(block, key, image, _NOTHING, FAILED, error.message)
    except MissingBlob:
        await _keep(block, key, image, _NOTHING, FAILED, "A layer of the image is missing.")
    else:
        status, description = (COMPLETE, _DONE) if report.is_supported else (UNSUPPORTED_IMAGE, _UNSUPPORTED)
        await _keep(block, key, image, report, status, description)


async def _find(tx: Transaction, key: Key) -> tuple[Repository, Image] | None:
    """Return the image that is to be scanned, if it is."""
    account, region, name, id, digest = key
    about = await repository.find(tx, account, region, name)
    image = None if about is None or about.id != id else await images.find(tx, about, digest)
    if about is None or image is None or image.scan is None or image.scan.status != IN_PROGRESS:
        return None
    return about, image


async def _run_scanner(block: Block, about: Repository, image: Image, parent: Path) -> Report:
    """Return what the scanner finds. Raises ScannerError, KmsError, StoreError."""
    scanner = scanners.find()
    if scanner is None:
        raise ScannerError(NO_SCANNER)
    folder = TemporaryDirectory(dir=parent, ignore_cleanup_errors=True)
    try:
        await layouts.write(block, about, image, Path(folder.name) / scanners.LAYOUT)
        return await scanners.scan(scanner, Path(folder.name), about.account)
    finally:
        await in_thread(folder.cleanup)


async def _keep(block: Block, key: Key, scanned: Image, report: Report, status: str, description: str) -> None:
    """Write how a scan has ended, unless the image is gone or is scanned anew."""
    found = report.findings
    for first in range(0, len(found) or 1, _MAX_FINDINGS):

        async def write(tx: Transaction, first: int = first) -> None:
            state = await _find(tx, key)
            if state is None or state[1].scan != scanned.scan:
                return
            about, image = state
            findings.add(tx, about.id, image.digest, first, found[first : first + _MAX_FINDINGS])
            if first + _MAX_FINDINGS >= len(found):
                # There may be more of the scan before, or of a process that was killed.
                findings.remove(tx, about.id, image.digest, len(found))
                now = block.clock.now()
                begun = 0.0 if image.scan is None else image.scan.begun
                scan = Scan(status, description, begun, now, report.updated, report.counts)
                images.save(tx, about, _end(tx, about, image, scan, now))

        await block.store.transact(write)


SCANS: Final = Reconciler("scan", _scan, max_concurrency=4)
"""Account, region, name and id of a repository, digest of an image."""
