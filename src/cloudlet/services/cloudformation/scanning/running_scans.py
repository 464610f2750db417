"""Carrying out scans: resources are listed, and what is found is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.resources.caller import bind_invoke
from cloudlet.core.aws.resources.failures import ProvisioningError
from cloudlet.core.aws.resources.provisioner import Instance, Invoke, Provisioner
from cloudlet.core.aws.resources.reader import Reader, find_listing
from cloudlet.core.aws.resources.registry import load_resource_types, load_schema
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation.operations.importing import can_import
from cloudlet.services.cloudformation.operations.provisioning_steps import BY
from cloudlet.services.cloudformation.scanning import scan_record
from cloudlet.services.cloudformation.scanning.scan_record import Scan, ScannedResource

MAX_CONCURRENT_CALLS: Final = 20
MAX_SCANNED_RESOURCES: Final = 10_000
_MAX_BATCH_ROWS: Final = 200


class _TooManyResources(Exception):
    """There are more resources than a scan has room for."""


async def _carry_out(block: Block, key: Key) -> float | None:
    """Carry out a scan from its beginning: one that was interrupted is begun again."""
    account, region, scan_id = key
    scan = await block.store.transact(lambda tx: scan_record.find(tx, account, region, scan_id))
    if scan is None or scan.status != "IN_PROGRESS":
        return None
    work = _Work(block, scan)
    try:
        ended = await work.run()
    except _TooManyResources:
        reason = f"There are more than {MAX_SCANNED_RESOURCES} resources."
        ended = replace(scan, status="FAILED", reason=reason, ended=block.clock.now())

    async def end(tx: Transaction) -> None:
        if await scan_record.find(tx, account, region, scan_id) is not None:
            scan_record.save(tx, ended)

    await block.store.transact(end)
    return None


SCANS: Final = Reconciler("scans", _carry_out, patience_seconds=1.0)


def list_types(wanted: Iterable[str]) -> list[str]:
    """Return the types that are wanted and can be scanned.

    They are named, or by their beginnings with a star.
    """
    names = [
        name
        for name, declared in load_resource_types().items()
        if can_import(name) and find_listing(declared) is not None
    ]
    patterns = list(wanted)
    return sorted(name for name in names if not patterns or any(_fits(name, pattern) for pattern in patterns))


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


async def read_resource(
    invoke: Invoke, kind: str, identifier: dict[str, str], account: str, region: str
) -> ScannedResource | None:
    """Return a resource with its properties; None where it is not there."""
    found = await Reader(kind, invoke, account, region).find(identifier)
    if found is None:
        return None
    schema = load_schema(kind)
    provisioner = Provisioner(load_resource_types()[kind], schema, invoke, account, region)
    reference = provisioner.get_reference(Instance({**found.properties, **identifier}, found.attributes))
    tags = _read_tags(found.properties.get(schema.tag_property)) if schema.tag_property else {}
    arn = found.attributes.get("Arn")
    return ScannedResource(
        kind, identifier, tags, reference, arn if isinstance(arn, str) else "", dict(found.properties)
    )


def _read_tags(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags or () if isinstance(tag, dict) and "Key" in tag}


class _Work:
    """One scan at work."""

    def __init__(self, block: Block, scan: Scan) -> None:
        self._block = block
        self._scan = scan
        principal = scan.caller.make_principal(BY)
        self._invoke = bind_invoke(block, principal, scan.account, scan.region)
        self._places = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
        self._found: dict[str, list[dict[str, str]]] = {}
        """The identifiers that were listed, by type."""

    async def run(self) -> Scan:
        scan, block = self._scan, self._block
        await block.store.transact(self._clear)
        kinds = list_types(scan.types)
        parents = {kind: self._find_parent(kind) for kind in kinds}
        alone = [kind for kind in kinds if parents[kind] is None]
        needed = {parent[0] for parent in parents.values() if parent is not None} - set(alone)
        await self._do_for_each([*alone, *needed], self._list_type)
        await self._do_for_each([kind for kind in kinds if kind not in alone], self._list_children)
        wanted = [(kind, identifier) for kind in kinds for identifier in self._found.get(kind, ())]
        read = 0
        for first in range(0, len(wanted), _MAX_BATCH_ROWS):
            rows: list[ScannedResource] = []

            async def read_one(one: tuple[str, dict[str, str]], rows: list[ScannedResource] = rows) -> None:
                found = await self._read(*one)
                if found is not None:
                    rows.append(found)

            await self._do_for_each(wanted[first : first + _MAX_BATCH_ROWS], read_one)
            await block.store.transact(partial(self._save, rows=rows))
            read += len(rows)
        return replace(
            scan, status="COMPLETE", ended=block.clock.now(), scanned_types=kinds, count=len(wanted), read=read
        )

    async def _clear(self, tx: Transaction) -> None:
        scan_record.remove_resources(tx, self._scan)

    async def _save(self, tx: Transaction, rows: list[ScannedResource]) -> None:
        for row in rows:
            scan_record.save_resource(tx, self._block.cloud.vault, self._scan, row)

    async def _do_for_each(self, items: Iterable[Any], work: Callable[[Any], Awaitable[None]]) -> None:
        async def do(item: Any) -> None:
            async with self._places:
                await work(item)

        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(do(item))

    def _find_parent(self, kind: str) -> tuple[str, str] | None:
        """Return the type that resources of another belong to, and the property with its name."""
        scan = self._scan
        listing = find_listing(load_resource_types()[kind])
        if listing is not None and listing.owner is not None:
            return listing.owner
        reader = Reader(kind, self._invoke, scan.account, scan.region)
        names = {*reader.list_required(), *load_schema(kind).identifier}
        namespace = kind.rpartition("::")[0]
        for other in list_types([f"{namespace}::*"]):
            identifier = load_schema(other).identifier
            if (
                other != kind
                and len(identifier) == 1
                and identifier[0] in names
                and identifier != load_schema(kind).identifier
            ):
                return other, identifier[0]
        return None

    async def _list_type(self, kind: str) -> None:
        await self._list(kind, {})

    async def _list_children(self, kind: str) -> None:
        parent = self._find_parent(kind)
        assert parent is not None  # noqa: S101
        other, name = parent
        for identifier in self._found.get(other, ()):
            await self._list(kind, {name: next(iter(identifier.values()))})

    async def _list(self, kind: str, model: dict[str, str]) -> None:
        """List the resources of a type; what cannot be listed is not found."""
        reader = Reader(kind, self._invoke, self._scan.account, self._scan.region)
        names, token = load_schema(kind).identifier, None
        while True:
            try:
                page, token = await reader.list_page(model, token)
            except (ProvisioningError, AwsError):
                return
            identifiers = [{name: str(one[name]) for name in names} for one in page]
            self._found.setdefault(kind, []).extend(identifiers)
            if sum(map(len, self._found.values())) > MAX_SCANNED_RESOURCES:
                raise _TooManyResources
            if token is None:
                return

    async def _read(self, kind: str, identifier: dict[str, str]) -> ScannedResource | None:
        try:
            return await read_resource(self._invoke, kind, identifier, self._scan.account, self._scan.region)
        except (ProvisioningError, AwsError):
            # It was listed, and may not be read.
            return None
