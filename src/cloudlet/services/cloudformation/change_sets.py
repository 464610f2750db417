"""Change sets: what is stored of them."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.cloudformation import errors, stacks, states
from cloudlet.services.cloudformation.operations.planning import ResourceChange
from cloudlet.services.cloudformation.rollback_configuration import RollbackConfiguration
from cloudlet.services.cloudformation.stack_record import Stack

_SPACE: Final = Subspace("change-set")
_IDS: Final = Subspace("change-set-id")
_encode = msgspec.msgpack.Encoder().encode


class ChangeSet(msgspec.Struct, frozen=True):
    """A change set of a stack."""

    account: str
    region: str
    stack: str
    """The id of its stack."""
    stack_name: str
    name: str
    id: str
    kind: str
    """CREATE, UPDATE or IMPORT."""
    created: float
    target: str
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution: str = "AVAILABLE"
    description: str = ""
    changes: list[ResourceChange] = []
    role: str = ""
    token: str = ""
    on_failure: str = ""
    operation: str = ""
    """The operation that the stack had when it was made: later ones make it obsolete."""
    has_nested_stacks: bool = False
    imports_existing: bool = False
    imported: dict[str, dict[str, str]] = {}
    """The identifiers of resources that are imported, by logical ids."""
    rollback: RollbackConfiguration = RollbackConfiguration()
    creation: str = ""
    """The id of the operation that made it."""
    parent: str = ""
    """The ARN of the change set of the parent stack; empty for a root."""
    root: str = ""
    nested: list[str] = []
    """The ARNs of the change sets of nested stacks."""

    @property
    def arn(self) -> str:
        partition = partition_of(self.region)
        return f"arn:{partition}:cloudformation:{self.region}:{self.account}:changeSet/{self.name}/{self.id}"

    @property
    def stack_arn(self) -> str:
        return Stack(self.account, self.region, self.stack, self.stack_name, "", 0.0).arn


decode = msgspec.msgpack.Decoder(ChangeSet).decode


def get_space(stack: Stack) -> Subspace:
    """Return the subspace of a stack's change sets, by name."""
    return _SPACE.sub(stack.account, stack.region, stack.id)


def save(tx: Transaction, found: ChangeSet) -> None:
    key = _SPACE.key(found.account, found.region, found.stack, found.name)
    tx.put(key, _encode(found))
    tx.put(_IDS.key(found.account, found.region, found.id), key)


def remove(tx: Transaction, found: ChangeSet) -> None:
    tx.delete(_SPACE.key(found.account, found.region, found.stack, found.name))
    tx.delete(_IDS.key(found.account, found.region, found.id))


async def find_by_arn(tx: Transaction, account: str, region: str, arn: str) -> ChangeSet | None:
    """Return a change set of an account by its ARN."""
    key = await tx.get(_IDS.key(account, region, arn.rpartition("/")[2]))
    raw = None if key is None else await tx.get(key)
    return None if raw is None else decode(raw)


async def list_nested(tx: Transaction, found: ChangeSet) -> list[ChangeSet]:
    """Return the change sets of nested stacks that belong to one, at all depths."""
    below: list[ChangeSet] = []
    for arn in found.nested:
        nested = await find_by_arn(tx, found.account, found.region, arn)
        if nested is not None:
            below += [nested, *await list_nested(tx, nested)]
    return below


async def find(tx: Transaction, stack: Stack, name: str) -> ChangeSet | None:
    """Return a change set of a stack by its name."""
    raw = await tx.get(_SPACE.key(stack.account, stack.region, stack.id, name))
    return None if raw is None else decode(raw)


async def get(ctx: Context, tx: Transaction, name: str, stack_name: str | None) -> ChangeSet:
    """Return a change set by its ARN, or by its name and its stack's. Raises ChangeSetNotFound."""
    found = None
    if name.startswith("arn:"):
        found = await find_by_arn(tx, ctx.account, ctx.region, name)
    elif not stack_name:
        raise errors.make_validation_error("StackName must be specified if ChangeSetName is not specified as an ARN.")
    else:
        found = await find(tx, await stacks.get(ctx, tx, stack_name), name)
    if found is None:
        raise errors.make_change_set_not_found(name)
    return found


async def remove_nested(tx: Transaction, found: ChangeSet, now: float) -> None:
    """Delete the change sets of nested stacks below one, and stacks made for them."""
    for nested in await list_nested(tx, found):
        stack = await stacks.find(tx, nested.account, nested.region, nested.stack)
        remove(tx, nested)
        if stack is not None:
            stacks.remove_target(tx, stack, nested.target)
            if stack.status == states.EMPTY:
                stacks.set_status(tx, stack, states.DELETED, now)


async def remove_all_nested(tx: Transaction, stack: Stack, now: float) -> None:
    """Delete the change sets of nested stacks below all of a stack's."""
    space = get_space(stack)
    for _, raw in await tx.range(space.begin, space.end, limit=stacks.MAX_ROWS):
        await remove_nested(tx, decode(raw), now)


async def remove_all(tx: Transaction, stack: Stack, but: str = "") -> None:
    """Delete the change sets of a stack, but for one."""
    space = get_space(stack)
    for _, raw in await tx.range(space.begin, space.end, limit=stacks.MAX_ROWS):
        found = decode(raw)
        if found.id != but:
            remove(tx, found)
            if found.target not in (stack.target, stack.operation.target):
                stacks.remove_target(tx, stack, found.target)
