"""The operations of SQS: check, decide, answer."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Service, Transaction, Wait
from cloudlet.core.aws import tags as core_tags
from cloudlet.services.sqs import (
    access,
    attributes,
    batches,
    composing,
    contents,
    directory,
    encryption,
    errors,
    fifo,
    jobs,
    limits,
    measuring,
    move_tasks,
    permissions,
    receiving,
    retention,
    sending,
    settling,
    tags,
)
from cloudlet.services.sqs.flights import InFlightMessages
from cloudlet.services.sqs.queue import Queue, split_timer
from cloudlet.services.sqs.queue_record import QueueRecord
from cloudlet.services.sqs.receive_request import ReceiveRequest

service = Service(
    "sqs",
    invalid_request=errors.reword,
    admits_anonymous=access.ALL_SHARED,
    data_events=(
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
        "DeleteMessage",
        "DeleteMessageBatch",
        "ReceiveMessage",
        "SendMessage",
        "SendMessageBatch",
    ),
    hidden=("Body", "MessageAttributes", "MessageBody"),
    namespace="AWS/SQS",
    decides=access.ACTIONS,
    access_denied=access.make_denial,
)
service.observe(measuring.note)
service.gauge(measuring.measure)
service.job(jobs.move_messages)
service.job(jobs.expire_messages)


async def _queue(ctx: Context, tx: Transaction, params: Params, action: str) -> Queue:
    """Return the queue that a request is about, if the caller may do this to it."""
    queue = await directory.by_url(ctx, tx, params["QueueUrl"])
    access.authorize(ctx, queue, action, params)
    ctx.measured = queue
    return queue


def _millis(ctx: Context) -> int:
    return int(ctx.now() * 1000)


# -- queues


@service.operation("CreateQueue")
async def create_queue(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, wanted = params["QueueName"], params.get("Attributes") or {}
    if wanted.get("FifoQueue", "true").lower() != "true":
        raise errors.unknown_attribute("FifoQueue")
    limits.check_queue_name(name, "FifoQueue" in wanted)
    access.authorize_account(ctx, "CreateQueue", name, params)
    if params.get("tags"):
        access.authorize_account(ctx, "TagQueue", name, params)
    now = ctx.now()
    await directory.check_not_deleted_recently(tx, ctx.account, ctx.region, name, int(now * 1000))
    empty = QueueRecord(0, ctx.account, ctx.region, name, int(now), int(now), {}, {})
    checked = await attributes.changed(tx, empty, wanted, creating=True)
    queue = await directory.by_name(tx, ctx.account, ctx.region, name)
    if queue is not None:
        attributes.check_same(queue, {key: checked[key] for key in wanted if key in checked})
    else:
        labels = tags.with_tags({}, params["tags"]) if params.get("tags") else {}
        record = msgspec.structs.replace(empty, id=await directory.next_id(tx), attributes=checked, tags=labels)
        queue = directory.store(tx, record)
    ctx.measured = queue
    return {"QueueUrl": queue.url(ctx.endpoint)}


@service.operation("DeleteQueue")
async def delete_queue(ctx: Context, tx: Transaction, params: Params) -> Result:
    directory.remove(tx, await _queue(ctx, tx, params, "DeleteQueue"), _millis(ctx))
    return None


@service.operation("PurgeQueue")
async def purge_queue(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "PurgeQueue")
    now = _millis(ctx)
    if 0 < queue.record.purged <= now < queue.record.purged + limits.PURGE_SECONDS * 1000:
        raise AwsError(
            "PurgeQueueInProgress",
            f"Only one PurgeQueue operation on {queue.record.name} is allowed every 60 seconds.",
        )
    for space in (queue.contents, queue.dedup, queue.dedup_expiries):
        tx.delete_range(space.begin, space.end)
    directory.store(tx, msgspec.structs.replace(queue.record, purged=now), queue)
    return None


@service.operation("GetQueueUrl")
async def get_queue_url(ctx: Context, tx: Transaction, params: Params) -> Result:
    owner = params.get("QueueOwnerAWSAccountId") or ctx.account
    queue = await directory.by_name(tx, owner, ctx.region, params["QueueName"])
    if queue is None:
        raise errors.no_such_queue(ctx.protocol)
    access.authorize(ctx, queue, "GetQueueUrl", params)
    return {"QueueUrl": queue.url(ctx.endpoint)}


@service.operation("ListQueues")
async def list_queues(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.authorize_account(ctx, "ListQueues", "", params)
    prefix = params.get("QueueNamePrefix") or ""
    found, token = await directory.listed(
        tx, ctx.account, ctx.region, prefix, params.get("NextToken"), limits.page_size(params)
    )
    return {"QueueUrls": [queue.url(ctx.endpoint) for queue in found] or None, "NextToken": token}


@service.operation("ListDeadLetterSourceQueues")
async def list_dead_letter_source_queues(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "ListDeadLetterSourceQueues")
    found, token = await directory.sources(tx, queue.arn, params.get("NextToken"), limits.page_size(params))
    return {"queueUrls": [source.url(ctx.endpoint) for source in found], "NextToken": token}


# -- attributes, permissions, tags


@service.direct("GetQueueAttributes")
async def get_queue_attributes(ctx: Context, params: Params) -> Result:
    async def body(tx: Transaction) -> dict[str, str] | None:
        queue = await _queue(ctx, tx, params, "GetQueueAttributes")
        now = _millis(ctx)
        timer = await contents.settle(tx, queue, now)
        if await retention.expire(tx, queue, now) or contents.is_due(queue, timer, now):
            return None
        return await attributes.shown(tx, queue, params.get("AttributeNames") or [])

    # The counters are exact: first, some at a time, whatever has become visible or has expired is moved.
    while (shown := await ctx.transact(body)) is None:
        pass
    return {"Attributes": shown} if shown else {}


@service.operation("SetQueueAttributes")
async def set_queue_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "SetQueueAttributes")
    await _change(ctx, tx, queue, await attributes.changed(tx, queue.record, params["Attributes"]))
    return None


async def _change(ctx: Context, tx: Transaction, queue: Queue, changed: dict[str, str]) -> None:
    now = ctx.now()
    record = msgspec.structs.replace(queue.record, attributes=changed, modified=int(now))
    after = directory.store(tx, record, queue)
    if after.fifo and after.delay != queue.delay:
        await fifo.change_delay(tx, queue, after, int(now * 1000))


@service.operation("AddPermission")
async def add_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "AddPermission")
    policy = permissions.with_permission(queue, params["Label"], params["AWSAccountIds"], params["Actions"])
    await _change(ctx, tx, queue, {**queue.record.attributes, "Policy": policy})
    return None


@service.operation("RemovePermission")
async def remove_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "RemovePermission")
    policy = permissions.without_permission(queue, params["Label"])
    kept = {name: value for name, value in queue.record.attributes.items() if name != "Policy"}
    await _change(ctx, tx, queue, kept if policy is None else {**kept, "Policy": policy})
    return None


@service.operation("TagQueue")
async def tag_queue(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "TagQueue")
    labels = tags.with_tags(queue.record.tags, params["Tags"])
    directory.store(tx, msgspec.structs.replace(queue.record, tags=labels), queue)
    return None


@service.operation("UntagQueue")
async def untag_queue(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "UntagQueue")
    labels = core_tags.remove(queue.record.tags, params["TagKeys"])
    directory.store(tx, msgspec.structs.replace(queue.record, tags=labels), queue)
    return None


@service.operation("ListQueueTags")
async def list_queue_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "ListQueueTags")
    return {"Tags": queue.record.tags or None}


# -- messages


@service.operation("SendMessage")
async def send_message(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "SendMessage")
    now = ctx.now()
    message, system_md5 = composing.compose(queue, params, ctx.principal.user_id, now, ctx.trace)
    if queue.encryption is not None:
        encryption.seal(ctx, queue.encryption, message)
    return await sending.send(tx, queue, message, system_md5, now)


@service.operation("SendMessageBatch")
async def send_message_batch(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "SendMessageBatch")
    entries = batches.checked("SendMessageBatch", params["Entries"])
    total = sum([composing.size_of(entry) for entry in entries])
    if total > limits.MESSAGE_BYTES:
        raise AwsError(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {limits.MESSAGE_BYTES} bytes. You have sent {total} bytes.",
        )
    for entry in entries:
        # AWS refuses the whole batch for one of these, unlike for all else that is wrong with an entry.
        composing.check_ids(queue, entry)
    now = ctx.now()
    result: dict[str, Any] = {}
    for entry in entries:
        try:
            message, system_md5 = composing.compose(queue, entry, ctx.principal.user_id, now, ctx.trace)
        except AwsError as error:
            result.setdefault("Failed", []).append(error.of_entry(entry["Id"]))
        else:
            if queue.encryption is not None:
                encryption.seal(ctx, queue.encryption, message)
            sent = await sending.send(tx, queue, message, system_md5, now)
            sent["Id"] = entry["Id"]
            result.setdefault("Successful", []).append(sent)
    return result


@service.operation("ReceiveMessage")
async def receive_message(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "ReceiveMessage")
    request = ReceiveRequest.of(queue, params)
    now = ctx.now()
    millis = int(now * 1000)
    if request.attempt is not None:
        repeated = await fifo.repeat(tx, queue, request.attempt, request.visibility, millis)
        if repeated:
            encryption.open_bodies(ctx, queue.encryption, repeated)
            return {"Messages": [request.rendered(queue, *received) for received in repeated]}
    timer = await contents.settle(tx, queue, millis, at_most=2 * limits.RECEIVED_MESSAGES)
    room = limits.IN_FLIGHT - await tx.counter(queue.in_flight_count)
    if room <= 0 and not queue.fifo and not request.wait:
        raise AwsError("OverLimit", "Too many messages in flight. Delete messages or wait for them to become visible.")
    outcome = await receiving.receive(tx, queue, min(request.count, room), request.visibility, now)
    if outcome.found:
        if timer is None or millis + request.visibility < split_timer(queue.timers, timer)[0]:
            # Who waits must look again sooner than it knows of.
            tx.notify(queue.topic)
        if request.attempt is not None:
            await fifo.note_attempt(tx, queue, request.attempt, outcome.found, millis)
        encryption.open_bodies(ctx, queue.encryption, outcome.found)
        return {"Messages": [request.rendered(queue, *received) for received in outcome.found]}
    if outcome.is_cut_short or (request.wait and (outcome.moved or contents.is_due(queue, timer, millis))):
        # To wait undoes this transaction, and one that moves very many is too long: what is in the way goes in others.
        # This one, which has read it, is run again, then.
        while await ctx.transact(lambda other: receiving.discard(other, queue, now)):
            pass
    if not request.wait:
        return {}
    wake_at = None if timer is None else split_timer(queue.timers, timer)[0] / 1000
    raise Wait(queue.topic, until=now + request.wait, otherwise={}, wake_at=wake_at)


@service.operation("DeleteMessage")
async def delete_message(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "DeleteMessage")
    deletion = settling.Deletion(tx, queue, _millis(ctx))
    await deletion.add(params["ReceiptHandle"])
    await deletion.finish()
    return None


@service.operation("DeleteMessageBatch")
async def delete_message_batch(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "DeleteMessageBatch")
    entries = batches.checked("DeleteMessageBatch", params["Entries"])
    deletion = settling.Deletion(tx, queue, _millis(ctx))
    result = await batches.each(entries, lambda entry: deletion.add(entry["ReceiptHandle"]))
    await deletion.finish()
    return result


@service.operation("ChangeMessageVisibility")
async def change_message_visibility(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "ChangeMessageVisibility")
    flights = InFlightMessages(tx, queue)
    handle, seconds = params["ReceiptHandle"], params["VisibilityTimeout"]
    await settling.change_visibility(tx, queue, flights, handle, seconds, _millis(ctx))
    flights.write()
    return None


@service.operation("ChangeMessageVisibilityBatch")
async def change_message_visibility_batch(ctx: Context, tx: Transaction, params: Params) -> Result:
    queue = await _queue(ctx, tx, params, "ChangeMessageVisibilityBatch")
    now = _millis(ctx)

    async def change(entry: batches.Entry) -> None:
        seconds = entry.get("VisibilityTimeout")
        if seconds is None:
            raise errors.missing("VisibilityTimeout")
        await settling.change_visibility(tx, queue, flights, entry["ReceiptHandle"], seconds, now)

    flights = InFlightMessages(tx, queue)
    result = await batches.each(batches.checked("ChangeMessageVisibilityBatch", params["Entries"]), change)
    flights.write()
    return result


# -- message move tasks


async def _move_source(ctx: Context, tx: Transaction, arn: str, params: Params, action: str) -> Queue:
    """Return the queue whose messages are moved, if the caller may do this.

    Developer Guide, "Amazon SQS API permissions".
    """
    move_tasks.check_arn("SourceArn", arn)
    queue = await directory.by_arn(tx, arn)
    if queue is None:
        raise errors.no_such_resource("SourceArn")
    for each in (action, "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        access.authorize(ctx, queue, each, params)
    return queue


async def _move_destination(ctx: Context, tx: Transaction, source: Queue, params: Params) -> Queue | None:
    """Return the queue that messages are moved to, if the caller may send there.

    None stands for the queues that they came from.
    """
    arn = params.get("DestinationArn")
    if not arn:
        for queue in (await directory.sources(tx, source.arn, None, None))[0]:
            access.authorize(ctx, queue, "SendMessage", params)
        return None
    move_tasks.check_arn("DestinationArn", arn)
    destination = await directory.by_arn(tx, arn)
    if destination is None:
        raise errors.no_such_resource("DestinationArn")
    access.authorize(ctx, destination, "SendMessage", params)
    return destination


@service.operation("StartMessageMoveTask")
async def start_message_move_task(ctx: Context, tx: Transaction, params: Params) -> Result:
    rate = limits.bounded(
        params,
        "MaxNumberOfMessagesPerSecond",
        limits.MOVED_PER_SECOND,
        f"You must enter a value that is between 1 and {limits.MOVED_PER_SECOND}.",
    )
    source = await _move_source(ctx, tx, params["SourceArn"], params, "StartMessageMoveTask")
    destination = await _move_destination(ctx, tx, source, params)
    task = await move_tasks.start(tx, source, destination, rate, _millis(ctx))
    return {"TaskHandle": move_tasks.handle_of(task)}


@service.operation("ListMessageMoveTasks")
async def list_message_move_tasks(ctx: Context, tx: Transaction, params: Params) -> Result:
    count = limits.bounded(
        params,
        "MaxResults",
        limits.MOVE_TASKS_LISTED,
        f"Value for parameter MaxResults must be between 1 and {limits.MOVE_TASKS_LISTED}.",
    )
    source = await _move_source(ctx, tx, params["SourceArn"], params, "ListMessageMoveTasks")
    return {"Results": [move_tasks.to_api(task) for task in await move_tasks.listed(tx, source, count or 1)]}


@service.operation("CancelMessageMoveTask")
async def cancel_message_move_task(ctx: Context, tx: Transaction, params: Params) -> Result:
    task_id, arn = move_tasks.read_handle(params["TaskHandle"])
    source = await _move_source(ctx, tx, arn, params, "CancelMessageMoveTask")
    task = await move_tasks.cancel(tx, source, task_id)
    return {"ApproximateNumberOfMessagesMoved": task.moved}
