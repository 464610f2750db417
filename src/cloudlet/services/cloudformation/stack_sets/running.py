"""Carrying out operations on stack sets: the reconciler of stack sets."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation.stack_sets import stack_set_states, stack_set_store
from cloudlet.services.cloudformation.stack_sets.deploying import Deployment
from cloudlet.services.cloudformation.stack_sets.drift_summary import summarize_drift
from cloudlet.services.cloudformation.stack_sets.scheduling import Schedule, make_schedule
from cloudlet.services.cloudformation.stack_sets.stack_set_record import Operation, Result, StackInstance, StackSet

_PATIENCE_SECONDS: Final = 1.0


async def _carry_out(block: Block, key: Key) -> float | None:
    """Carry out the operations on a set as far as they go now."""
    account, region, set_id = key

    async def load(tx: Transaction) -> tuple[StackSet, list[Operation]] | None:
        stack_set = await stack_set_store.find_set(tx, block.cloud.vault, account, region, set_id)
        return None if stack_set is None else (stack_set, await _list_runnable(tx, stack_set, block.clock.now()))

    found = await block.store.transact(load)
    if found is None or not found[1]:
        return None
    stack_set, operations = found
    return min(await asyncio.gather(*(_advance(block, stack_set, operation) for operation in operations)))


STACK_SETS: Final = Reconciler("stack-sets", _carry_out, patience_seconds=_PATIENCE_SECONDS)


def request(tx: Transaction, stack_set: StackSet) -> None:
    """Have the operations on a set carried on once this transaction is committed."""
    STACK_SETS.request(tx, stack_set.account, stack_set.region, stack_set.id)


async def _list_runnable(tx: Transaction, stack_set: StackSet, now: float) -> list[Operation]:
    """Return the operations that may run; queued ones begin where none conflicts."""
    active = await stack_set_store.list_active_operations(tx, stack_set)
    runnable: list[Operation] = []
    for place, operation in enumerate(active):
        if operation.status == "QUEUED":
            before = [await stack_set_store.is_conflicting(tx, stack_set, operation, one) for one in active[:place]]
            if any(before):
                continue
            operation = stack_set_store.move_operation(tx, stack_set, operation, "RUNNING", now)
        runnable.append(operation)
    return runnable


async def _advance(block: Block, stack_set: StackSet, operation: Operation) -> float:
    """Go on with one operation; return the pause, 0 where more can be done."""

    async def plan(tx: Transaction) -> tuple[Schedule, list[tuple[Result, StackInstance]]]:
        return await _plan(block, tx, stack_set, operation)

    schedule, running = await block.store.transact(plan)
    if schedule.ended or not running:
        return 0
    deployments = [Deployment(block, stack_set, operation, *one) for one in running]
    pauses = await asyncio.gather(*(deployment.run() for deployment in deployments))
    return min(0.0 if pause is None else pause for pause in pauses)


async def _plan(
    block: Block, tx: Transaction, stack_set: StackSet, operation: Operation
) -> tuple[Schedule, list[tuple[Result, StackInstance]]]:
    """Start and cancel what is due; return that, and all that runs."""
    now, vault = block.clock.now(), block.cloud.vault
    current = await stack_set_store.get_operation(tx, stack_set, operation.id)
    results = {one.target: one for one in await stack_set_store.list_results(tx, stack_set, operation)}
    schedule = make_schedule(operation.preferences, [*results.values()], is_stopping=current.status == "STOPPING")
    moves = {**dict.fromkeys(schedule.start, "RUNNING"), **dict.fromkeys(schedule.cancel, "CANCELLED")}
    for target, status in moves.items():
        stack_set_states.check_transition(stack_set_states.RESULT, results[target].status, status)
        reason = schedule.reason if status == "CANCELLED" else ""
        results[target] = replace(results[target], status=status, reason=reason, started=now)
        stack_set_store.save_result(tx, stack_set, operation, results[target])
        instance = await stack_set_store.find_instance(tx, vault, stack_set, target)
        if instance is not None:
            changed = replace(instance, detailed=status, reason=reason, operation=operation.id)
            stack_set_store.save_instance(tx, vault, stack_set, changed)
    if schedule.ended:
        ended = stack_set_store.move_operation(tx, stack_set, current, schedule.ended, now)
        if operation.action == "DETECT_DRIFT":
            drift = summarize_drift(ended, [*results.values()])
            stack_set_store.save_set(tx, vault, replace(stack_set, drift=drift))
    running = []
    for target, result in results.items():
        if result.status == "RUNNING":
            instance = await stack_set_store.find_instance(tx, vault, stack_set, target)
            running.append((result, instance or StackInstance(target, "")))
    return schedule, running
