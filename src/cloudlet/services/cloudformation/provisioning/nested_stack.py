"""Nested stacks, which may have operations of their own under way, or failed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.aws.resources.failures import ProvisioningError, ReasonedError
from cloudlet.core.aws.resources.provisioner import Instance, Provisioner
from cloudlet.core.aws.resources.registry import load_resource_types
from cloudlet.services.cloudformation import states
from cloudlet.services.cloudformation.compiling import NESTED, get_schema
from cloudlet.services.cloudformation.provisioning.handlers import Later, Work

_PAUSE_SECONDS: Final = 0.2
_MODEL: Final = "cloudformation"
_ROLLED_BACK: Final = "UPDATE_ROLLBACK_COMPLETE"


class NestedStack(Provisioner):
    """One nested stack."""

    def __init__(self, work: Work) -> None:
        stack = work.stack
        declared = load_resource_types()[NESTED]
        super().__init__(declared, get_schema(NESTED), work.invoke, stack.account, stack.region)
        self._work = work

    async def update(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        stack_id = self.get_reference(old)
        if await self._roll_back(stack_id, token):
            return dict(old.attributes)
        await self._await_rest(stack_id, token)
        return await super().update(old, new, token)

    async def refresh(self, instance: Instance, token: str = "") -> tuple[dict[str, Any], float | None]:
        try:
            return await super().refresh(instance, token)
        except ProvisioningError:
            # A rollback, or an update that changes nothing, which leaves the state as it was.
            stack_id = self.get_reference(instance)
            found = await self._describe(stack_id)
            if found["StackStatus"] == _ROLLED_BACK and not await self._is_own(stack_id, token):
                return {**instance.attributes, "Outputs": found["Outputs"]}, None
            what = "updated" if found["StackStatus"].startswith("UPDATE") else "created"
            reason = await self._find_reason(found)
            raise ReasonedError(f"Embedded stack {stack_id} was not successfully {what}: {reason}") from None

    async def _roll_back(self, stack_id: str, token: str) -> bool:
        """Roll back an update that has not cleaned up; return whether there was one."""
        is_reverting = self._work.stack.status == "UPDATE_ROLLBACK_IN_PROGRESS"
        if not is_reverting or await self._get_status(stack_id) != states.CLEANING:
            return False
        params = {"StackName": stack_id, "ClientRequestToken": f"{token}-rollback"}
        return await self._try("RollbackStack", params)

    async def _try(self, operation: str, params: dict[str, Any]) -> bool:
        """Call an operation on the nested stack as CloudFormation itself; nobody needs a permission.

        Return whether it was in a state for that: it may have left it meanwhile.
        """
        stack = self._work.stack
        try:
            await self._work.block.call(_MODEL, operation, params, account=stack.account, region=stack.region)
        except AwsError as error:
            if error.code != "ValidationError":
                raise
            return False
        return True

    async def _find_reason(self, found: Mapping[str, Any]) -> str:
        """Return why a stack's last operation failed."""
        params = {"StackName": found["StackId"]}
        while True:
            answer = await self._work.invoke(_MODEL, "DescribeStackEvents", params)
            for event in answer["StackEvents"]:
                is_failure = event["ResourceStatus"].endswith(("ROLLBACK_IN_PROGRESS", "FAILED"))
                reason: str = event.get("ResourceStatusReason", "")
                if is_failure and reason and event["PhysicalResourceId"] == found["StackId"]:
                    return reason.removesuffix("Rollback requested by user.").rstrip()
            if not answer.get("NextToken"):
                return str(found.get("StackStatusReason", ""))
            params["NextToken"] = answer["NextToken"]

    async def _wait(self, instance: Instance) -> None:
        """Return at once: an update may take long, and `refresh` tells when it is done."""

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        stack_id = self.get_reference(instance)
        if not stack_id or not await self.exists(self.get_known(instance)):
            return None
        await self._await_rest(stack_id, token, is_deleted=True)
        found = await self._describe(stack_id)
        if found["StackStatus"] == states.DELETED:
            return None
        if not states.is_in_progress(found["StackStatus"]) and await self._is_own(stack_id, token):
            reason = found.get("StackStatusReason", "")
            raise ReasonedError(f"Embedded stack {stack_id} was not successfully deleted: {reason}")
        await self._work.invoke(_MODEL, "DeleteStack", {"StackName": stack_id, "ClientRequestToken": token})
        return _PAUSE_SECONDS

    async def _await_rest(self, stack_id: str, token: str, *, is_deleted: bool = False) -> None:
        """Raise Later while another operation is under way.

        A rollback that had failed goes on.
        """
        params = {"StackName": stack_id}
        status = await self._get_status(stack_id)
        if status == "UPDATE_ROLLBACK_FAILED" and not is_deleted:
            again = f"{token}-continued"
            if not self._work.stack.operation.is_continued or await self._is_own(stack_id, again):
                raise ReasonedError(f"Embedded stack {stack_id} was not successfully updated.")
            skipped = self._list_skipped(stack_id.split("/")[1])
            await self._work.invoke(
                _MODEL, "ContinueUpdateRollback", {**params, "ResourcesToSkip": skipped, "ClientRequestToken": again}
            )
            raise Later(_PAUSE_SECONDS)
        is_deletable = is_deleted and status in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS")
        if not states.is_in_progress(status) or is_deletable or await self._is_own(stack_id, token):
            return
        if status == "UPDATE_IN_PROGRESS":
            await self._try("CancelUpdateStack", params)
        raise Later(_PAUSE_SECONDS)

    async def _describe(self, stack_id: str) -> dict[str, Any]:
        answer = await self._work.invoke(_MODEL, "DescribeStacks", {"StackName": stack_id})
        found: dict[str, Any] = answer["Stacks"][0]
        return found

    async def _get_status(self, stack_id: str) -> str:
        status: str = (await self._describe(stack_id))["StackStatus"]
        return status

    async def _is_own(self, stack_id: str, token: str) -> bool:
        """Whether a token is that of the nested stack's last operation."""
        events = (await self._work.invoke(_MODEL, "DescribeStackEvents", {"StackName": stack_id}))["StackEvents"]
        return bool(events) and events[0].get("ClientRequestToken") == token

    def _list_skipped(self, name: str) -> list[str]:
        """Return the resources of the nested stack that are skipped, and of those in it."""
        skipped = [one for one in self._work.stack.operation.skipped if "." in one]
        return [one.removeprefix(f"{name}.") for one in skipped]
