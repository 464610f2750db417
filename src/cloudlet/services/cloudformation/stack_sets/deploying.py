"""An operation's work on one instance: its stack is made, updated or deleted."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.resources.failures import ReasonedError, is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import states
from cloudlet.services.cloudformation.stack_sets import stack_set_states, stack_set_store
from cloudlet.services.cloudformation.stack_sets.role_chain import take_execution_role
from cloudlet.services.cloudformation.stack_sets.stack_set_record import Operation, Result, StackInstance, StackSet
from cloudlet.services.cloudformation.templates.parsing import parse_template
from cloudlet.store import StoreError

log = logging.getLogger("cloudlet.cloudformation")

GATE: Final = "AWSCloudFormationStackSetAccountGate"
_INVALID: Final = "Validation failed with "
_MODEL: Final = "cloudformation"
_UNMADE: Final = frozenset({"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
"""The states of stacks that cannot be updated: they are deleted and made again."""
_GOOD: Final = {"create": "CREATE_COMPLETE", "update": "UPDATE_COMPLETE", "delete": "DELETE_COMPLETE"}
_PATIENCE_SECONDS: Final = 120.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_MAX_PAUSE_SECONDS: Final = 5.0


class Deployment:
    """The work of an operation on one instance."""

    def __init__(
        self, block: Block, stack_set: StackSet, operation: Operation, result: Result, instance: StackInstance
    ) -> None:
        self._block = block
        self._set = stack_set
        self._operation = operation
        self._result = result
        self._instance = instance
        self._principal: Principal | None = None

    async def run(self) -> float | None:
        """Go on as far as it goes; return the pause, None once it has ended."""
        try:
            return await self._advance()
        except ReasonedError as error:
            return await self._end("FAILED", error.reason)
        except AwsError as error:
            elapsed = self._block.clock.now() - self._result.started
            if is_transient(error) and elapsed < _PATIENCE_SECONDS:
                return self._get_pause()
            return await self._end("FAILED", error.message)
        except StoreError:
            raise
        except Exception:
            log.exception("the instance %s of %s", self._result.target, self._set.arn)
            return await self._end("FAILED", "Internal Failure")

    def _get_pause(self) -> float:
        elapsed = self._block.clock.now() - self._result.started
        return min(max(_FIRST_PAUSE_SECONDS, elapsed / 10), _MAX_PAUSE_SECONDS)

    async def _advance(self) -> float | None:
        operation, instance = self._operation, self._instance
        if operation.action == "DELETE" and (operation.is_retaining or not instance.stack_id):
            return await self._end("SUCCEEDED")
        self._principal = await take_execution_role(self._block, self._set, operation, instance.target.account)
        if not self._result.gate:
            await self._pass_gate()
        if operation.is_import:
            return await self._import()
        if operation.action == "DETECT_DRIFT":
            return await self._detect()
        while True:
            if not self._result.step:
                await self._begin(await self._choose_step())
            if not self._result.is_called and not await self._call():
                return await self._end("SUCCEEDED")
            found = await self._find_stack()
            status = "DELETE_COMPLETE" if found is None else found["StackStatus"]
            if states.is_in_progress(status):
                return self._get_pause()
            step = self._result.step
            if status != _GOOD[step]:
                raise ReasonedError(await self._describe_failure(status, found))
            if step == "delete" and operation.action != "DELETE":
                await self._save_instance(replace(self._instance, stack_id=""))
                await self._save_result(replace(self._result, step=""))
                continue
            return await self._end("SUCCEEDED")

    # Steps

    async def _choose_step(self) -> str:
        if self._operation.action == "DELETE":
            return "delete"
        found = await self._find_stack()
        if found is None or found["StackStatus"] == states.DELETED:
            return "create"
        return "delete" if found["StackStatus"] in _UNMADE else "update"

    async def _begin(self, step: str) -> None:
        """Write down which call is made next, and with which token, before it is made."""
        await self._save_result(replace(self._result, step=step, token=uuid4(), is_called=False))

    async def _call(self) -> bool:
        """Make the call of a step; return whether there is anything to wait for."""
        stack_set, instance, step = self._set, self._instance, self._result.step
        params: dict[str, Any] = {"ClientRequestToken": self._result.token}
        if step == "delete":
            await self._invoke("DeleteStack", {**params, "StackName": instance.stack_id})
        else:
            values = {**stack_set.parameters, **instance.overrides}
            params |= {
                "TemplateBody": stack_set.template,
                "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
                "Tags": tags.to_list(stack_set.tags),
                "Capabilities": stack_set.capabilities,
            }
            name = instance.stack_name if step == "create" else instance.stack_id
            operation = "CreateStack" if step == "create" else "UpdateStack"
            try:
                answer = await self._invoke(operation, {**params, "StackName": name})
            except AwsError as error:
                if step == "update" and "No updates are to be performed" in error.message:
                    return False
                raise
            await self._save_instance(replace(instance, stack_id=answer["StackId"]))
        await self._save_result(replace(self._result, is_called=True))
        return True

    async def _import(self) -> float | None:
        found = await self._find_stack()
        if found is None:
            raise ReasonedError(f"Stack {self._instance.stack_id} does not exist")
        answer = await self._invoke("GetTemplate", {"StackName": self._instance.stack_id})
        if _parse(answer["TemplateBody"]) != parse_template(self._set.template):
            raise ReasonedError("The template of the stack differs from the template of the stack set")
        values = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters") or ()}
        usual = self._set.parameters
        overrides = {key: value for key, value in values.items() if usual.get(key) != value}
        self._instance = replace(self._instance, overrides=overrides)
        return await self._end("SUCCEEDED")

    async def _detect(self) -> float | None:
        if not self._instance.stack_id:
            raise ReasonedError("The stack instance has no stack")
        if not self._result.step:
            answer = await self._invoke("DetectStackDrift", {"StackName": self._instance.stack_id})
            await self._save_result(replace(self._result, step="detect", token=answer["StackDriftDetectionId"]))
        params = {"StackDriftDetectionId": self._result.token}
        found = await self._invoke("DescribeStackDriftDetectionStatus", params)
        if found["DetectionStatus"] == "DETECTION_IN_PROGRESS":
            return self._get_pause()
        if found["DetectionStatus"] == "DETECTION_FAILED":
            raise ReasonedError(found.get("DetectionStatusReason") or "The detection of drift has failed")
        drift = found["StackDriftStatus"]
        self._result = replace(self._result, drift=drift)
        self._instance = replace(self._instance, drift=drift, drift_checked=self._block.clock.now())
        return await self._end("SUCCEEDED")

    async def _pass_gate(self) -> None:
        """Ask the account's gate function, where it has one. Raises ReasonedError where that says no."""
        status, reason = "SKIPPED", ""
        try:
            answer = await self._invoke("Invoke", {"FunctionName": GATE, "Payload": b"{}"}, model="lambda")
        except AwsError as error:
            if is_transient(error):
                raise
            reason = error.message
        else:
            said = await _read_gate(answer)
            status = "SUCCEEDED" if said == "SUCCEEDED" else "FAILED"
            reason = "" if status == "SUCCEEDED" else f"The account gate function answered {said or 'no status'}"
        await self._save_result(replace(self._result, gate=status, gate_reason=reason))
        if status == "FAILED":
            raise ReasonedError("Account gate check failed")

    # Looking

    async def _find_stack(self) -> dict[str, Any] | None:
        name = self._instance.stack_id or self._instance.stack_name
        try:
            answer = await self._invoke("DescribeStacks", {"StackName": name})
        except AwsError as error:
            if "does not exist" in error.message:
                return None
            raise
        found: dict[str, Any] = answer["Stacks"][0]
        return found

    async def _describe_failure(self, status: str, found: dict[str, Any] | None) -> str:
        """Return why a stack failed: the first of its resources that did."""
        answer = await self._invoke("DescribeStackEvents", {"StackName": self._instance.stack_id})
        for event in reversed(answer["StackEvents"]):
            is_own = event.get("ClientRequestToken") == self._result.token
            # What is known to fail early has but events of the stack itself.
            is_invalid = event.get("ResourceStatusReason", "").startswith(_INVALID)
            if is_own and (is_invalid or event["ResourceStatus"].endswith("_FAILED")):
                return (
                    f"ResourceLogicalId:{event['LogicalResourceId']}, ResourceType:{event['ResourceType']}, "
                    f"ResourceStatusReason:{event.get('ResourceStatusReason', '')}."
                )
        reason = (found or {}).get("StackStatusReason") or ""
        return f"Stack {self._instance.stack_id} is in {status} state. {reason}".rstrip()

    async def _invoke(self, operation: str, params: dict[str, Any], model: str = _MODEL) -> Any:
        assert self._principal is not None  # noqa: S101
        target = self._instance.target
        return await self._block.cloud.call(
            model, operation, params, principal=self._principal, account=target.account, region=target.region
        )

    # Writing

    async def _save_result(self, result: Result) -> None:
        async def save(tx: Transaction) -> None:
            stack_set_store.save_result(tx, self._set, self._operation, result)

        await self._block.store.transact(save)
        self._result = result

    async def _save_instance(self, instance: StackInstance) -> None:
        async def save(tx: Transaction) -> None:
            stack_set_store.save_instance(tx, self._block.cloud.vault, self._set, instance)

        await self._block.store.transact(save)
        self._instance = instance

    async def _end(self, status: str, reason: str = "") -> float | None:
        """Write down the result, and the instance as it is now; return no pause."""
        stack_set_states.check_transition(stack_set_states.RESULT, self._result.status, status)
        stack_set, operation, instance = self._set, self._operation, self._instance
        result = replace(self._result, status=status, reason=reason)
        is_gone = operation.action == "DELETE" and status == "SUCCEEDED"
        sync = "CURRENT" if status == "SUCCEEDED" else "OUTDATED"
        detailed = status
        if operation.action == "DETECT_DRIFT":
            sync = instance.status
        elif status == "FAILED" and operation.is_import:
            sync, detailed = "INOPERABLE", "FAILED_IMPORT"
        elif status == "FAILED" and operation.action == "DELETE":
            sync, detailed = "INOPERABLE", "INOPERABLE"

        async def save(tx: Transaction) -> None:
            stack_set_store.save_result(tx, stack_set, operation, result)
            if is_gone:
                stack_set_store.remove_instance(tx, stack_set, instance.target)
                return
            changed = replace(instance, status=sync, detailed=detailed, reason=reason)
            stack_set_store.save_instance(tx, self._block.cloud.vault, stack_set, changed)

        await self._block.store.transact(save)
        return None


async def _read_gate(answer: Any) -> str:
    """Return the status that a gate function has answered."""
    payload = answer.get("Payload") or b""
    text = payload if isinstance(payload, bytes) else b"".join([chunk async for chunk in payload])
    try:
        said = json.loads(text)
    except ValueError:
        return ""
    return str(said.get("Status", "")) if isinstance(said, dict) else ""


def _parse(template: Any) -> Any:
    return parse_template(template) if isinstance(template, str) else template
