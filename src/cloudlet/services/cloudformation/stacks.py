"""Stacks in the store: they, their targets, resources, events, exports and imports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.core.kernel.ids import random_bytes, uuid4
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.cloudformation import errors, notifying, states
from cloudlet.services.cloudformation.stack_record import Event, Export, Operation, Resource, Stack, Target, Validation

_NAMES: Final = Subspace("name")
_STACKS: Final = Subspace("stack")
_TARGETS: Final = Subspace("target")
_RESOURCES: Final = Subspace("resource")
_EVENTS: Final = Subspace("event")
_OPERATIONS: Final = Subspace("operation")
_IMPORTS: Final = Subspace("import")
DELETIONS: Final = Subspace("deletion")
"""The deleted stacks, by the time of that in seconds."""
_LAST_ORDER: Final = 1 << 62
_MAX_LEAD_MILLIS: Final = 60_000
"""The lead that events may have. Where it is longer, the clock was set back."""
MAX_ROWS: Final = 2000

_encode = msgspec.msgpack.Encoder().encode
decode_stack = msgspec.msgpack.Decoder(Stack).decode
_decode_target = msgspec.msgpack.Decoder(Target).decode
_decode_resource = msgspec.msgpack.Decoder(Resource).decode
decode_event = msgspec.msgpack.Decoder(Event).decode

exports = Records(
    Subspace("export"), Export, lambda name: errors.make_validation_error(f"Export [{name}] does not exist")
)


def make_id(now: float) -> str:
    """Return an id for a stack: the newest sorts first."""
    digits = f"{(1 << 48) - 1 - int(now * 1000):012x}{random_bytes(10).hex()}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


# Stacks


def get_space(account: str, region: str) -> Subspace:
    """Return the subspace of the stacks of an account in a region, the newest first."""
    return _STACKS.sub(account, region)


async def find(tx: Transaction, account: str, region: str, stack_id: str) -> Stack | None:
    """Return a stack by its id, deleted or not."""
    raw = await tx.get(_STACKS.key(account, region, stack_id))
    return None if raw is None else decode_stack(raw)


async def find_by_name(tx: Transaction, account: str, region: str, name: str) -> Stack | None:
    """Return a stack by its name or ARN; a deleted one by its ARN only."""
    if name.startswith("arn:"):
        parts = name.split(":", 5)
        path = parts[5].split("/") if len(parts) == 6 else []
        if len(path) != 3 or parts[3:5] != [region, account]:
            return None
        found = await find(tx, account, region, path[2])
        return found if found is not None and found.name == path[1] else None
    raw = await tx.get(_NAMES.key(account, region, name))
    return None if raw is None else await find(tx, account, region, raw.decode())


async def get(
    ctx: Context, tx: Transaction, name: str, missing: Callable[[str], AwsError] = errors.make_stack_not_found
) -> Stack:
    """Return a stack of the caller's by its name or ARN. Raises ValidationError, which `missing` makes."""
    found = await find_by_name(tx, ctx.account, ctx.region, name)
    if found is None:
        raise missing(name)
    return found


async def get_live(ctx: Context, tx: Transaction, name: str) -> Stack:
    """Return a stack that is not deleted. Raises ValidationError."""
    found = await get(ctx, tx, name)
    if found.status == states.DELETED:
        raise errors.make_stack_not_found(name)
    return found


def save(tx: Transaction, stack: Stack) -> None:
    """Write a stack, and give its name free where it is deleted."""
    tx.put(_STACKS.key(stack.account, stack.region, stack.id), _encode(stack))
    if stack.status == states.DELETED:
        tx.delete(_NAMES.key(stack.account, stack.region, stack.name))
    else:
        tx.put(_NAMES.key(stack.account, stack.region, stack.name), stack.id.encode())


async def remove_rows(tx: Transaction, stack: Stack) -> None:
    """Remove a deleted stack with its resources and events."""
    place = (stack.account, stack.region, stack.id)
    events = _EVENTS.sub(*place)
    begin, is_full = events.begin, True
    while is_full:
        rows = await tx.range(begin, events.end, limit=MAX_ROWS)
        for operation in {decode_event(raw).operation for _, raw in rows}:
            tx.delete(_OPERATIONS.key(stack.account, stack.region, operation))
        is_full = len(rows) == MAX_ROWS
        begin = rows[-1][0] + b"\x00" if rows else events.end
    for space in (events, _RESOURCES.sub(*place), _TARGETS.sub(*place)):
        tx.delete_range(space.begin, space.end)
    tx.delete(_STACKS.key(*place))


# Targets


def save_target(tx: Transaction, vault: Vault, stack: Stack, target: Target) -> None:
    """Write a target, encrypted: values of parameters may be secrets."""
    tx.put(_TARGETS.key(stack.account, stack.region, stack.id, target.id), vault.encrypt(_encode(target), target.id))


async def find_target(tx: Transaction, vault: Vault, stack: Stack, target: str) -> Target | None:
    """Return a target of a stack by its id."""
    raw = await tx.get(_TARGETS.key(stack.account, stack.region, stack.id, target)) if target else None
    return None if raw is None else _decode_target(vault.decrypt(raw, target))


def remove_target(tx: Transaction, stack: Stack, target: str) -> None:
    tx.delete(_TARGETS.key(stack.account, stack.region, stack.id, target))


# Resources


def get_resource_space(stack: Stack) -> Subspace:
    return _RESOURCES.sub(stack.account, stack.region, stack.id)


def decode_resource(vault: Vault, stack: Stack, raw: bytes) -> Resource:
    """Return a resource of a stack by its row's value."""
    return _decode_resource(vault.decrypt(raw, stack.id))


async def find_resource(tx: Transaction, vault: Vault, stack: Stack, name: str) -> Resource | None:
    """Return a resource by its logical id."""
    raw = await tx.get(_RESOURCES.key(stack.account, stack.region, stack.id, name))
    return None if raw is None else decode_resource(vault, stack, raw)


async def list_resources(tx: Transaction, vault: Vault, stack: Stack) -> dict[str, Resource]:
    """Return all resources of a stack by their logical ids."""
    space = get_resource_space(stack)
    rows = await tx.range(space.begin, space.end, limit=MAX_ROWS)
    return {found.name: found for _, raw in rows for found in [decode_resource(vault, stack, raw)]}


def save_resource(tx: Transaction, vault: Vault, resource: Resource) -> None:
    """Write a resource, encrypted: its properties and attributes may be secrets."""
    key = _RESOURCES.key(resource.account, resource.region, resource.stack, resource.name)
    tx.put(key, vault.encrypt(_encode(resource), resource.stack))


def remove_resource(tx: Transaction, resource: Resource) -> None:
    tx.delete(_RESOURCES.key(resource.account, resource.region, resource.stack, resource.name))


# Events


class _Order:
    """The order of events: by time, a millisecond apart."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, now: float) -> int:
        """Return the place of the next event, in milliseconds since the epoch."""
        millis = int(now * 1000)
        is_set_back = millis < self._last - _MAX_LEAD_MILLIS
        self._last = millis if is_set_back else max(self._last + 1, millis)
        return self._last


_order: Final = _Order()


def get_event_space(stack: Stack) -> Subspace:
    """Return the subspace of a stack's events, the newest first."""
    return _EVENTS.sub(stack.account, stack.region, stack.id)


def add_event(tx: Transaction, stack: Stack, event: Event) -> None:
    """Write an event of a stack, and have its topics notified."""
    order = _order.take(event.time)
    event = replace(event, time=order / 1000)
    tx.put(_EVENTS.key(stack.account, stack.region, stack.id, _LAST_ORDER - order, event.id), _encode(event))
    if not event.is_hidden:
        notifying.add_notices(tx, stack, event, order)


def make_stack_event(stack: Stack, status: str, now: float, reason: str = "") -> Event:
    """Return an event of a stack itself."""
    return Event(
        uuid4(),
        stack.name,
        "AWS::CloudFormation::Stack",
        stack.arn,
        status,
        now,
        reason,
        token=stack.operation.token,
        operation=stack.operation.current_id,
        started=stack.operation.current_started,
    )


def add_validations(tx: Transaction, stack: Stack, event: Event, found: Iterable[Validation]) -> None:
    """Write what early validation has found, as events like another one."""
    for one in found:
        add_event(tx, stack, replace(event, id=uuid4(), is_hidden=True, validation=one))


def set_status(tx: Transaction, stack: Stack, status: str, now: float, reason: str = "") -> Stack:
    """Save a stack in another state, with the event that tells of it; return it."""
    changed = replace(stack, status=status, reason=reason)
    if status == states.DELETED:
        changed = replace(changed, deleted=now)
        tx.put(DELETIONS.key(int(now), stack.account, stack.region, stack.id), b"")
    save(tx, changed)
    add_event(tx, changed, make_stack_event(stack, status, now, reason))
    return changed


# Operations


class OperationKind(msgspec.Struct, frozen=True):
    """The stack and the type of an operation, by its id."""

    stack: str
    kind: str


_decode_kind = msgspec.msgpack.Decoder(OperationKind).decode


def save_operation(tx: Transaction, stack: Stack, operation: str, kind: str) -> None:
    """Write down whose operation an id is."""
    tx.put(_OPERATIONS.key(stack.account, stack.region, operation), _encode(OperationKind(stack.id, kind)))


async def find_operation(tx: Transaction, account: str, region: str, operation: str) -> OperationKind | None:
    """Return whose operation an id is."""
    raw = await tx.get(_OPERATIONS.key(account, region, operation))
    return None if raw is None else _decode_kind(raw)


def follow(tx: Transaction, stack: Stack, kind: str, now: float) -> Stack:
    """Return a stack whose operation has failed, and another one follows on it."""
    following = uuid4()
    save_operation(tx, stack, following, kind)
    operation = replace(stack.operation, following=following, following_kind=kind, following_started=now)
    return replace(stack, operation=operation)


def list_last_operations(operation: Operation) -> list[tuple[str, str]]:
    """Return the ids and the types of a stack's last operations, the newest first."""
    known = ((operation.following, operation.following_kind), (operation.id, operation.kind))
    return [(name, kind) for name, kind in known if name and kind]


# Imports


def add_import(tx: Transaction, stack: Stack, export: str) -> None:
    """Write down that a stack imports what is exported under a name."""
    tx.put(_IMPORTS.key(stack.account, stack.region, export, stack.id), stack.name.encode())


async def remove_imports(tx: Transaction, stack: Stack) -> None:
    """Forget what a stack imports."""
    space = _IMPORTS.sub(stack.account, stack.region)
    for key, _ in await tx.range(space.begin, space.end, limit=MAX_ROWS):
        if space.unpack(key)[-1] == stack.id:
            tx.delete(key)


def get_import_space(account: str, region: str, export: str) -> Subspace:
    """Return the subspace of the stacks that import what is exported under a name."""
    return _IMPORTS.sub(account, region, export)


async def list_importers(tx: Transaction, account: str, region: str, export: str) -> list[str]:
    """Return the names of some stacks that import what is exported under a name."""
    space = get_import_space(account, region, export)
    return sorted({raw.decode() for _, raw in await tx.range(space.begin, space.end, limit=100)})
