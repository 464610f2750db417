"""Stack sets in the store: they, their instances, operations and results."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.cloudformation.stack_sets import stack_set_states
from cloudlet.services.cloudformation.stack_sets.stack_set_record import (
    Operation,
    Result,
    StackInstance,
    StackSet,
    Target,
)

_SETS: Final = Subspace("stack-set")
_NAMES: Final = Subspace("stack-set-name")
_INSTANCES: Final = Subspace("stack-set-instance")
_OPERATIONS: Final = Subspace("stack-set-operation")
_ORDERS: Final = Subspace("stack-set-order")
_ACTIVE: Final = Subspace("stack-set-active")
_RESULTS: Final = Subspace("stack-set-result")
_TIMES: Final = Subspace("stack-set-operation-time")
"""The time of an operation, in seconds, with its set and its id → nothing."""
KEPT_SECONDS: Final = 90 * 86_400.0
"""The time for which an operation can be looked at."""
_LAST_ORDER: Final = 1 << 62
MAX_INSTANCES: Final = 2000

_encode = msgspec.msgpack.Encoder().encode
_decode_set = msgspec.msgpack.Decoder(StackSet).decode
_decode_instance = msgspec.msgpack.Decoder(StackInstance).decode
_decode_operation = msgspec.msgpack.Decoder(Operation).decode
decode_result = msgspec.msgpack.Decoder(Result).decode


# Sets


def get_space(account: str, region: str) -> Subspace:
    """Return the subspace of an account's sets in a region."""
    return _SETS.sub(account, region)


def decode_set(vault: Vault, raw: bytes) -> StackSet:
    """Return a set by its row's value."""
    return _decode_set(vault.decrypt(raw, "stack-set"))


def save_set(tx: Transaction, vault: Vault, stack_set: StackSet) -> None:
    """Write a set, encrypted: its parameters may be secrets. A deleted one frees its name."""
    account, region = stack_set.account, stack_set.region
    tx.put(_SETS.key(account, region, stack_set.id), vault.encrypt(_encode(stack_set), "stack-set"))
    if stack_set.status == "DELETED":
        tx.delete(_NAMES.key(account, region, stack_set.name))
    else:
        tx.put(_NAMES.key(account, region, stack_set.name), stack_set.id.encode())


async def find_set(tx: Transaction, vault: Vault, account: str, region: str, set_id: str) -> StackSet | None:
    """Return a set by its UUID."""
    raw = await tx.get(_SETS.key(account, region, set_id))
    return None if raw is None else decode_set(vault, raw)


async def find_set_by_name(tx: Transaction, vault: Vault, account: str, region: str, name: str) -> StackSet | None:
    """Return a set by its name, id or ARN; the latter find deleted ones, too."""
    short, _, set_id = name.rpartition("/")[2].partition(":")
    if not set_id:
        raw = await tx.get(_NAMES.key(account, region, short))
        if raw is None:
            return None
        set_id = raw.decode()
    found = await find_set(tx, vault, account, region, set_id)
    return found if found is not None and found.name == short else None


async def get_set(ctx: Context, tx: Transaction, name: str) -> StackSet:
    """Return a set of the caller's. Raises StackSetNotFoundException."""
    found = await find_set_by_name(tx, ctx.block.cloud.vault, ctx.account, ctx.region, name)
    if found is None:
        raise AwsError("StackSetNotFoundException", f"StackSet {name} not found")
    return found


async def get_live_set(ctx: Context, tx: Transaction, name: str) -> StackSet:
    """Return a set that is not deleted. Raises StackSetNotFoundException."""
    found = await get_set(ctx, tx, name)
    if found.status == "DELETED":
        raise AwsError("StackSetNotFoundException", f"StackSet {name} not found")
    return found


# Instances


def get_instance_space(stack_set: StackSet) -> Subspace:
    return _INSTANCES.sub(stack_set.account, stack_set.region, stack_set.id)


def decode_instance(vault: Vault, raw: bytes) -> StackInstance:
    return _decode_instance(vault.decrypt(raw, "stack-instance"))


def save_instance(tx: Transaction, vault: Vault, stack_set: StackSet, instance: StackInstance) -> None:
    """Write an instance, encrypted: its overrides may be secrets."""
    key = get_instance_space(stack_set).key(instance.target.account, instance.target.region)
    tx.put(key, vault.encrypt(_encode(instance), "stack-instance"))


def remove_instance(tx: Transaction, stack_set: StackSet, target: Target) -> None:
    tx.delete(get_instance_space(stack_set).key(target.account, target.region))


async def find_instance(tx: Transaction, vault: Vault, stack_set: StackSet, target: Target) -> StackInstance | None:
    raw = await tx.get(get_instance_space(stack_set).key(target.account, target.region))
    return None if raw is None else decode_instance(vault, raw)


async def list_instances(tx: Transaction, vault: Vault, stack_set: StackSet) -> dict[Target, StackInstance]:
    """Return all instances of a set."""
    space = get_instance_space(stack_set)
    rows = await tx.range(space.begin, space.end, limit=MAX_INSTANCES)
    return {found.target: found for _, raw in rows for found in [decode_instance(vault, raw)]}


# Operations


def get_order_space(stack_set: StackSet) -> Subspace:
    """Return the subspace of the ids of a set's operations, the newest first."""
    return _ORDERS.sub(stack_set.account, stack_set.region, stack_set.id)


def add_operation(tx: Transaction, stack_set: StackSet, operation: Operation) -> None:
    place = (stack_set.account, stack_set.region, stack_set.id)
    tx.put(_ORDERS.key(*place, _LAST_ORDER - operation.order, operation.id), operation.id.encode())
    tx.put(_TIMES.key(int(operation.created), *place, operation.id), b"")
    save_operation(tx, stack_set, operation)


def save_operation(tx: Transaction, stack_set: StackSet, operation: Operation) -> None:
    """Write an operation; those that are not over are found without the others."""
    place = (stack_set.account, stack_set.region, stack_set.id, operation.id)
    tx.put(_OPERATIONS.key(*place), _encode(operation))
    if stack_set_states.is_ended(operation.status):
        tx.delete(_ACTIVE.key(*place))
    else:
        tx.put(_ACTIVE.key(*place), b"")


def get_times() -> Subspace:
    """Return the subspace of operations by the time at which they began."""
    return _TIMES


async def delete_operation(tx: Transaction, row: bytes) -> None:
    """Delete the operation of a row of the times, with its results, if it ended."""
    _, *place = _TIMES.unpack(row)
    raw = await tx.get(_OPERATIONS.key(*place))
    operation = None if raw is None else _decode_operation(raw)
    if operation is None or not stack_set_states.is_ended(operation.status):
        return
    *stack_set, id = place
    tx.delete(_OPERATIONS.key(*place))
    tx.delete(_ORDERS.key(*stack_set, _LAST_ORDER - operation.order, id))
    results = _RESULTS.sub(*place)
    tx.delete_range(results.begin, results.end)


def move_operation(
    tx: Transaction, stack_set: StackSet, operation: Operation, status: str, now: float, reason: str = ""
) -> Operation:
    """Save an operation in another state; return it."""
    stack_set_states.check_transition(stack_set_states.OPERATION, operation.status, status)
    ended = now if stack_set_states.is_ended(status) else 0.0
    moved = replace(operation, status=status, ended=ended, reason=reason or operation.reason)
    save_operation(tx, stack_set, moved)
    return moved


async def find_operation(tx: Transaction, stack_set: StackSet, operation_id: str) -> Operation | None:
    raw = await tx.get(_OPERATIONS.key(stack_set.account, stack_set.region, stack_set.id, operation_id))
    return None if raw is None else _decode_operation(raw)


async def get_operation(tx: Transaction, stack_set: StackSet, operation_id: str) -> Operation:
    """Return an operation on a set. Raises OperationNotFoundException."""
    found = await find_operation(tx, stack_set, operation_id)
    if found is None:
        raise AwsError("OperationNotFoundException", f"Operation {operation_id} not found")
    return found


async def list_active_operations(tx: Transaction, stack_set: StackSet) -> list[Operation]:
    """Return the operations on a set that are not over, the oldest first."""
    space = _ACTIVE.sub(stack_set.account, stack_set.region, stack_set.id)
    rows = await tx.range(space.begin, space.end, limit=MAX_INSTANCES)
    found = [await find_operation(tx, stack_set, space.unpack(key)[-1]) for key, _ in rows]
    return sorted((one for one in found if one is not None), key=lambda one: one.sequence)


# Results


def get_result_space(stack_set: StackSet, operation: Operation) -> Subspace:
    return _RESULTS.sub(stack_set.account, stack_set.region, stack_set.id, operation.id)


def save_result(tx: Transaction, stack_set: StackSet, operation: Operation, result: Result) -> None:
    tx.put(get_result_space(stack_set, operation).key(result.target.account, result.target.region), _encode(result))


async def find_result(tx: Transaction, stack_set: StackSet, operation: Operation, target: Target) -> Result | None:
    raw = await tx.get(get_result_space(stack_set, operation).key(target.account, target.region))
    return None if raw is None else decode_result(raw)


async def list_results(tx: Transaction, stack_set: StackSet, operation: Operation) -> list[Result]:
    """Return the results of an operation, by account and region."""
    space = get_result_space(stack_set, operation)
    return [decode_result(raw) for _, raw in await tx.range(space.begin, space.end, limit=MAX_INSTANCES)]


async def is_conflicting(tx: Transaction, stack_set: StackSet, one: Operation, other: Operation) -> bool:
    """Whether an operation is about an instance that another one is about, too."""
    first, second = [await list_results(tx, stack_set, operation) for operation in (one, other)]
    return bool({result.target for result in first} & {result.target for result in second})
