"""Records of resource scans, and of the resources that they have found."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.vault import Vault

_SCANS: Final = Subspace("scan")
_FOUND: Final = Subspace("scanned")
_LAST_MILLIS: Final = 1 << 48
MAX_SCANS: Final = 10
"""The scans of an account in a region that are kept."""


class Scan(msgspec.Struct, frozen=True):
    """A scan of the resources of an account in a region."""

    account: str
    region: str
    id: str
    """The id, which sorts the newest first."""
    started: float
    caller: Caller
    types: list[str] = []
    """Types, or beginnings of them with a star; all where there are none."""
    token: str = ""
    status: Literal["IN_PROGRESS", "COMPLETE", "FAILED"] = "IN_PROGRESS"
    reason: str = ""
    ended: float = 0.0
    scanned_types: list[str] = []
    count: int = 0
    """The number of resources that were listed."""
    read: int = 0

    @property
    def arn(self) -> str:
        return make_arn(self.account, self.region, self.id)


class ScannedResource(msgspec.Struct, frozen=True):
    """A resource that a scan has found."""

    type: str
    identifier: dict[str, str]
    tags: dict[str, str] = {}
    reference: str = ""
    arn: str = ""
    model: dict[str, Any] = {}
    """The properties."""

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        return make_key(self.type, self.identifier)


def make_key(kind: str, identifier: dict[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what tells a resource from all others."""
    return kind, tuple(sorted(identifier.items()))


def make_arn(account: str, region: str, scan_id: str) -> str:
    return f"arn:{partition_of(region)}:cloudformation:{region}:{account}:resourceScan/{scan_id}"


def make_id(now: float, digits: str) -> str:
    """Return an id for a scan: the newest sorts first."""
    text = f"{_LAST_MILLIS - int(now * 1000):012x}{digits}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Scan).decode
_decode_resource = msgspec.msgpack.Decoder(ScannedResource).decode


def get_space(account: str, region: str) -> Subspace:
    """Return the subspace of the scans of an account in a region, the newest first."""
    return _SCANS.sub(account, region)


def save(tx: Transaction, scan: Scan) -> None:
    tx.put(_SCANS.key(scan.account, scan.region, scan.id), _encode(scan))


async def find(tx: Transaction, account: str, region: str, scan_id: str) -> Scan | None:
    """Return a scan by its id."""
    raw = await tx.get(_SCANS.key(account, region, scan_id))
    return None if raw is None else decode(raw)


async def get(tx: Transaction, account: str, region: str, arn: str) -> Scan:
    """Return a scan by its ARN. Raises ResourceScanNotFoundException."""
    found = await find(tx, account, region, arn.rpartition("/")[2])
    if found is None:
        raise AwsError("ResourceScanNotFoundException", f"Resource scan {arn} does not exist", status=404)
    return found


async def list_scans(tx: Transaction, account: str, region: str) -> list[Scan]:
    """Return the scans of an account in a region, the newest first."""
    space = get_space(account, region)
    return [decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=2 * MAX_SCANS)]


def remove(tx: Transaction, scan: Scan) -> None:
    """Delete a scan, with what it has found."""
    tx.delete(_SCANS.key(scan.account, scan.region, scan.id))
    remove_resources(tx, scan)


# Resources


def get_resource_space(scan: Scan) -> Subspace:
    """Return the subspace of the resources that a scan has found."""
    return _FOUND.sub(scan.account, scan.region, scan.id)


def save_resource(tx: Transaction, vault: Vault, scan: Scan, found: ScannedResource) -> None:
    """Write a resource, encrypted: its properties may be secrets."""
    key = _FOUND.key(scan.account, scan.region, scan.id, found.type, "|".join(found.identifier.values()))
    tx.put(key, vault.encrypt(_encode(found), scan.id))


def decode_resource(vault: Vault, scan: Scan, raw: bytes) -> ScannedResource:
    """Return a resource that a scan has found by its row's value."""
    return _decode_resource(vault.decrypt(raw, scan.id))


def remove_resources(tx: Transaction, scan: Scan) -> None:
    space = get_resource_space(scan)
    tx.delete_range(space.begin, space.end)
