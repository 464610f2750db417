"""The jobs of Parameter Store: policies act, and EventBridge is told of changes."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.aws import service_events
from cloudlet.core.background.jobs import Row, run_leased_jobs, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.services.ssm import change_events, parameters, policies, policy_timers
from cloudlet.services.ssm.block import service


@service.job
async def let_policies_act(block: Block) -> None:
    """Let policies act when they are due, until the block ends."""
    await run_timers(block, policy_timers.TOPIC, policy_timers.TIMERS, "the policy of the parameter", _act)


@service.job
async def send_events(block: Block) -> None:
    """Tell EventBridge of changes, until the block ends."""
    await run_leased_jobs(block, send_events=service_events.tell)


async def _act(tx: Transaction, row: Row, now: float) -> None:
    """Let a policy act that is due: it deletes a parameter that expires."""
    _, account, region, name, number, index = row
    found = await parameters.find(tx, account, region, name)
    if found is None or found.latest.number != number:
        return
    acting = replace(found.latest.policies[index], is_finished=True)
    change_events.add_action(tx, found, acting, now)
    if acting.type == policies.EXPIRATION:
        parameters.remove(tx, found, now)
        return
    all_policies = (*found.latest.policies[:index], acting, *found.latest.policies[index + 1 :])
    parameters.save_version(tx, replace(found, latest=replace(found.latest, policies=all_policies)))
