"""Custom resources: functions and topics that make what CloudFormation has no type for.

A request goes out, and its answer comes back, by PUT, to the URL that it names. User guide,
"Custom resource reference".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.arn import Arn
from cloudlet.core.aws.resources.failures import ReasonedError
from cloudlet.core.aws.resources.provisioner import Instance
from cloudlet.services.cloudformation.provisioning import signals
from cloudlet.services.cloudformation.provisioning.handlers import Work

_DEFAULT_TIMEOUT_SECONDS: Final = 3600
_PAUSE_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 4096
_PHYSICAL_ID: Final = "PhysicalResourceId"
_SENT: Final = "sent"
"""The id under which it is kept that a request was sent."""


class CustomResource:
    """One custom resource."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def assign_name(self, properties: Mapping[str, Any], prefix: str, suffix: str) -> dict[str, Any]:
        return dict(properties)

    def has_given_name(self, properties: Mapping[str, Any]) -> bool:
        return False

    def get_reference(self, instance: Instance) -> str:
        reference: str = instance.attributes.get(_PHYSICAL_ID, "")
        return reference

    async def exists(self, properties: Mapping[str, Any]) -> bool:
        return False

    async def find(self, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        return None

    async def create(
        self, properties: Mapping[str, Any], name: str, token: str, *, is_repeated: bool
    ) -> dict[str, Any]:
        await self._send("Create", properties, token)
        return {}

    async def complete(self, instance: Instance, token: str) -> tuple[dict[str, Any], float | None]:
        return await self.refresh(instance, token)

    async def update(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        await self._send(
            "Update", new, token, PhysicalResourceId=self.get_reference(old), OldResourceProperties=old.properties
        )
        return dict(old.attributes)

    async def refresh(self, instance: Instance, token: str = "") -> tuple[dict[str, Any], float | None]:
        answer, pause = await self._find_answer(instance.properties, token)
        if answer is None:
            return dict(instance.attributes), pause
        physical_id = answer.physical_id or self.get_reference(instance)
        if not physical_id:
            raise ReasonedError("Invalid PhysicalResourceId")
        return {**(answer.data or {}), _PHYSICAL_ID: physical_id}, None

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        if not self.get_reference(instance):
            return None
        await self._send("Delete", instance.properties, token, PhysicalResourceId=self.get_reference(instance))
        _, pause = await self._find_answer(instance.properties, token)
        return pause

    async def _find_answer(
        self, properties: Mapping[str, Any], token: str
    ) -> tuple[signals.Signal | None, float | None]:
        """Return what was answered, or after how many seconds to look again. Raises ProvisioningError."""
        work = self._work
        found = await work.block.store.transact(lambda tx: signals.list_signals(tx, token))
        answer = found.get("answer")
        if answer is not None:
            if answer.status != "SUCCESS":
                raise ReasonedError(
                    f"Received response status [FAILED] from custom resource. Message returned: {answer.reason}"
                )
            return answer, None
        timeout = float(properties.get("ServiceTimeout", _DEFAULT_TIMEOUT_SECONDS))
        left = work.started + timeout - work.block.clock.now()
        if left <= 0:
            raise ReasonedError(
                "CloudFormation did not receive a response from your Custom Resource. Please check your logs for "
                f"requestId [{token}]. If you are using the Python cfn-response module, you may need to update your "
                "Lambda function code so that CloudFormation can attach the updated version."
            )
        return None, min(left, _PAUSE_SECONDS)

    async def _send(self, request: str, properties: Mapping[str, Any], token: str, **more: Any) -> None:
        """Send a request, unless it is known that it was sent."""
        work, stack = self._work, self._work.stack

        async def begin(tx: Transaction) -> bool:
            address = signals.Address(stack.account, stack.region, stack.id, token)
            signals.save_address(tx, token, address)
            return bool(await signals.list_signals(tx, token))

        if await work.block.store.transact(begin):
            return
        target = str(properties.get("ServiceToken", ""))
        event = {
            "RequestType": request,
            "ServiceToken": target,
            "ResponseURL": signals.make_url(work.block, token),
            "StackId": stack.arn,
            "RequestId": token,
            "LogicalResourceId": work.logical_id,
            "ResourceType": work.kind,
            **more,
            "ResourceProperties": _format_values(properties),
        }
        if "OldResourceProperties" in event:
            event["OldResourceProperties"] = _format_values(event["OldResourceProperties"])
        await self._deliver(target, json.dumps(event))

        async def end(tx: Transaction) -> None:
            signals.add_signal(tx, token, _SENT, signals.Signal(_SENT))

        await work.block.store.transact(end)

    async def _deliver(self, target: str, text: str) -> None:
        try:
            arn = Arn.parse(target)
        except ValueError:
            raise ReasonedError(f"Invalid ServiceToken {target}") from None
        try:
            if arn.service == "lambda":
                params: dict[str, Any] = {"FunctionName": target, "InvocationType": "Event", "Payload": text.encode()}
                await self._work.invoke("lambda", "Invoke", params)
            elif arn.service == "sns":
                await self._work.invoke("sns", "Publish", {"TopicArn": target, "Message": text})
            else:
                raise ReasonedError(f"Invalid ServiceToken {target}")
        except AwsError as error:
            if (error.status or 400) >= 500:
                raise
            raise ReasonedError(error.message) from None


def parse_answer(text: bytes) -> signals.Signal:
    """Return what a custom resource has answered. Raises ValueError."""
    answer = json.loads(text)
    if not isinstance(answer, dict) or answer.get("Status") not in ("SUCCESS", "FAILED"):
        raise ValueError("an answer has a Status, SUCCESS or FAILED")
    data = answer.get("Data")
    return signals.Signal(
        answer["Status"],
        str(answer.get("Reason", "")),
        data if isinstance(data, dict) else {},
        str(answer.get(_PHYSICAL_ID, "")),
        answer.get("NoEcho") is True,
    )


def _format_values(value: Any) -> Any:
    """Return properties as functions get them: all scalars are texts."""
    if isinstance(value, Mapping):
        return {key: _format_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_format_values(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
