"""Telling of durable executions: EventBridge, CloudWatch, destinations and dead-letter queues.

Developer guide, "Monitoring durable functions".
"""

from __future__ import annotations

import json

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import iso8601, service_events
from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_ import measuring
from cloudlet.services.lambda_.asynchronous import event as events
from cloudlet.services.lambda_.asynchronous import records
from cloudlet.services.lambda_.asynchronous.event import Event
from cloudlet.services.lambda_.durable import storage
from cloudlet.services.lambda_.durable.execution import SUCCEEDED, Execution
from cloudlet.services.lambda_.durable.showing import drop_none, make_document
from cloudlet.services.lambda_.execution.invocation import Outcome
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.event_invoke import EVENT_INVOKE
from cloudlet.services.lambda_.functions.function import LATEST

_METRICS = {
    "SUCCEEDED": "DurableExecutionSucceeded",
    "FAILED": "DurableExecutionFailed",
    "TIMED_OUT": "DurableExecutionTimedOut",
    "STOPPED": "DurableExecutionStopped",
}


def measure(block: Block, execution: Execution) -> None:
    """Note in CloudWatch that an execution has ended."""
    place = execution.key.place
    measuring.note_durable(block, place, _METRICS[execution.status])
    duration = (execution.ended - execution.started) * 1000
    measuring.note_durable(block, place, "DurableExecutionDuration", duration, "Milliseconds")


def tell_status(tx: Transaction, execution: Execution, now: float) -> None:
    """Have EventBridge told of the status of an execution."""
    place = execution.key.place
    detail = {
        "version": "0",
        "durableExecutionArn": execution.arn,
        "durableExecutionName": execution.name,
        "functionArn": place.qualified(execution.version),
        "status": execution.status,
        "startTimestamp": iso8601.millisecond(int(execution.started * 1000)),
        "endTimestamp": iso8601.millisecond(int(execution.ended * 1000)) if execution.has_ended else None,
    }
    entry = {
        "Time": now,
        "Source": "aws.lambda",
        "DetailType": "Durable Execution Status Change",
        "Resources": [execution.arn],
        "Detail": json.dumps(drop_none(detail)),
    }
    service_events.add(tx, place.account, place.region, entry)


async def tell(block: Block, tx: Transaction, execution: Execution, now: float) -> None:
    """Have all told that an execution has ended."""
    tell_status(tx, execution, now)
    if not execution.is_asynchronous:
        return
    place, qualifier = execution.key.place, execution.qualifier
    setting = await EVENT_INVOKE.find(tx, place, qualifier or LATEST)
    try:
        resolved = await directory.resolve(tx, FunctionReference(place, execution.version))
        dead_letter = (await directory.latest(tx, place)).dead_letter
    except AwsError:
        # The function is deleted, and with it whom to tell.
        return
    event = Event(
        place=place,
        qualifier=qualifier,
        request_id=execution.request_id,
        payload=await storage.load_input(tx, execution.key),
        accepted=execution.started,
        due=now,
        trace=execution.trace,
        attempts=0 if execution.status == SUCCEEDED else 1,
    )
    result, error = await storage.load_result(tx, execution.key)
    role, letters = resolved.version.role, []
    if execution.status == SUCCEEDED:
        if setting is not None and setting.on_success:
            text = records.record(event, "Success", Outcome((result or "null").encode()), execution.version, now)
            letters.append(records.letter(block, event, role, setting.on_success, text, succeeded=True))
    else:
        document = make_document(error, execution.status, "")
        outcome = Outcome(document, (error or {}).get("ErrorType") or execution.status)
        if setting is not None and setting.on_failure:
            text = records.record(event, "RetriesExhausted", outcome, execution.version, now)
            letters.append(records.letter(block, event, role, setting.on_failure, text, succeeded=False))
        if dead_letter:
            letters.append(records.dead_letter(block, event, role, dead_letter, outcome))
    if letters:
        events.put_served(tx, event, letters)


async def run(block: Block) -> None:
    """Tell EventBridge what there is to be told, until the block ends."""
    await run_leased_jobs(block, tell_of_events=service_events.tell)
