"""Signals by the API, and by PUT to addresses of wait conditions and custom resources."""

from __future__ import annotations

import json
from typing import Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.web import Answer, DataPlaneRequest
from cloudlet.services.cloudformation import errors, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.operations.running import request
from cloudlet.services.cloudformation.provisioning import custom_resource, signals
from cloudlet.services.cloudformation.provisioning.local_types import make_signal_key
from cloudlet.wire import HttpResponse

_WAITING: Final = "AWS::CloudFormation::WaitCondition"
_STATUSES: Final = ("SUCCESS", "FAILURE")
_TOO_LARGE: Final = HttpResponse(413)
_WRONG: Final = HttpResponse(400)
_MISSING: Final = HttpResponse(404)
_DONE: Final = HttpResponse(200)


@service.operation("SignalResource")
async def signal_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    stack = await stacks.get_live(ctx, tx, params["StackName"])
    name = params["LogicalResourceId"]
    found = await stacks.find_resource(tx, ctx.block.cloud.vault, stack, name)
    if found is None:
        raise errors.make_validation_error(f"Resource {name} does not exist for stack {stack.name}")
    making = found.making
    if found.type != _WAITING or making is None:
        raise errors.make_validation_error(f"Resource {name} is in {found.status} state and cannot be signaled")
    key = make_signal_key(stack.id, name, making.properties)
    signals.add_signal(tx, key, params["UniqueId"], signals.Signal(params["Status"], "", ""))
    request(tx, stack)
    return {}


@service.data_plane
async def receive(block: Block, visit: DataPlaneRequest) -> Answer:
    """Take a signal or an answer that is sent to an address."""
    if visit.request.method not in ("PUT", "POST"):
        return _MISSING
    try:
        text = await visit.body(custom_resource.MAX_ANSWER_BYTES * 4)
    except ValueError:
        return _TOO_LARGE

    async def keep(tx: Transaction) -> HttpResponse:
        address = await signals.find_address(tx, visit.resource)
        if address is None:
            return _MISSING
        stack = await stacks.find(tx, address.account, address.region, address.stack)
        if stack is None:
            return _MISSING
        try:
            if address.signals == visit.resource:
                unique_id, signal = "answer", custom_resource.parse_answer(text)
            else:
                unique_id, signal = _parse_signal(text)
        except (ValueError, RecursionError):
            return _WRONG
        signals.add_signal(tx, address.signals, unique_id, signal)
        request(tx, stack)
        return _DONE

    return await block.store.transact(keep)


def _parse_signal(text: bytes) -> tuple[str, signals.Signal]:
    """Return a signal of a wait condition, and its id. Raises ValueError."""
    sent = json.loads(text)
    if not isinstance(sent, dict) or sent.get("Status") not in _STATUSES:
        raise ValueError("a signal has a Status, SUCCESS or FAILURE")
    unique_id = str(sent.get("UniqueId") or uuid4())
    return unique_id, signals.Signal(sent["Status"], str(sent.get("Reason", "")), sent.get("Data", ""))
