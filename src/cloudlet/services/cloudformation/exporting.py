"""Exports and imports: values that stacks hand to each other, and hold fast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation import errors, stacks
from cloudlet.services.cloudformation.stack_record import Export, Output, Stack
from cloudlet.services.cloudformation.stacks import exports


async def bind_imports(block: Block, stack: Stack, names: Iterable[str]) -> dict[str, str]:
    """Return the values of what a stack imports, which nobody may change from now on. Raises AwsError."""

    async def bind(tx: Transaction) -> dict[str, str]:
        values = {}
        for name in names:
            found = await exports.find(tx, stack.account, stack.region, name)
            if found is None:
                raise errors.make_validation_error(f"No export named {name} found.")
            values[name] = found.value
            stacks.add_import(tx, stack, name)
        return values

    return await block.store.transact(bind)


async def check_names(block: Block, stack: Stack, outputs: Sequence[Output]) -> None:
    """Raise AwsError where another stack exports under a name, or imports what changes."""
    wanted = {output.export: output.value for output in outputs if output.export}
    if len(wanted) < sum(bool(output.export) for output in outputs):
        raise errors.make_format_error("Output Export names must be unique within a template")

    async def check(tx: Transaction) -> None:
        for name in wanted:
            found = await exports.find(tx, stack.account, stack.region, name)
            if found is not None and found.stack != stack.id:
                raise errors.make_validation_error(
                    f"Export with name {name} is already exported by stack {found.stack_name}."
                )
        for output in stack.outputs:
            if output.export and wanted.get(output.export) != output.value:
                users = await stacks.list_importers(tx, stack.account, stack.region, output.export)
                if users:
                    what = "Cannot update" if output.export in wanted else "Delete canceled. Cannot delete"
                    raise errors.make_validation_error(
                        f"{what} export {output.export} as it is in use by {' and '.join(users)}."
                    )

    await block.store.transact(check)


async def save(tx: Transaction, stack: Stack, outputs: Sequence[Output], imports: Iterable[str]) -> None:
    """Write what a stack exports and imports by now; forget what it did before."""
    await remove_all_of(tx, stack)
    for output in outputs:
        if output.export:
            exports.save(tx, Export(stack.account, stack.region, output.export, stack.id, stack.name, output.value))
    for name in imports:
        stacks.add_import(tx, stack, name)


async def remove_all_of(tx: Transaction, stack: Stack) -> None:
    """Forget what a stack exports and imports."""
    space = exports.get_space(stack.account, stack.region)
    for _, raw in await tx.range(space.begin, space.end, limit=stacks.MAX_ROWS):
        found = exports.decode(raw)
        if found.stack == stack.id:
            exports.remove(tx, found)
    await stacks.remove_imports(tx, stack)
