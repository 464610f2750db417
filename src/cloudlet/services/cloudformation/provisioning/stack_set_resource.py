"""The resource type AWS::CloudFormation::StackSet: a set, and operations on its instances one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.aws.resources.failures import ReasonedError
from cloudlet.core.aws.resources.provisioner import Instance
from cloudlet.services.cloudformation.provisioning.handlers import Later
from cloudlet.services.cloudformation.provisioning.local_types import Metadata

_MODEL: Final = "cloudformation"
_PAUSE_SECONDS: Final = 0.2
_OF_INSTANCES: Final = ("OperationPreferences", "PermissionModel", "StackInstancesGroup")
Place = tuple[str, str]
"""An account and a region."""
Overrides = tuple[tuple[str, str], ...]


class StackSetResource(Metadata):
    """One stack set: Ref returns its id."""

    def has_given_name(self, properties: Mapping[str, Any]) -> bool:
        return True

    def get_reference(self, instance: Instance) -> str:
        reference: str = instance.attributes["StackSetId"]
        return reference

    async def exists(self, properties: Mapping[str, Any]) -> bool:
        return await self.find(properties) is not None

    async def find(self, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            answer = await self._invoke("DescribeStackSet", {"StackSetName": properties["StackSetName"]})
        except AwsError as error:
            if error.code == "StackSetNotFoundException":
                return None
            raise
        return {"StackSetId": answer["StackSet"]["StackSetId"]}

    async def create(
        self, properties: Mapping[str, Any], name: str, token: str, *, is_repeated: bool
    ) -> dict[str, Any]:
        given = {key: value for key, value in properties.items() if key not in _OF_INSTANCES}
        model = {"PermissionModel": properties["PermissionModel"]}
        answer = await self._invoke("CreateStackSet", {**given, **model, "ClientRequestToken": token})
        return {"StackSetId": answer["StackSetId"]}

    async def complete(self, instance: Instance, token: str) -> tuple[dict[str, Any], float | None]:
        try:
            await self._change_instances(instance, {}, instance.properties, token)
        except Later as pause:
            return dict(instance.attributes), pause.seconds
        return dict(instance.attributes), None

    async def update(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        set_id = self.get_reference(old)
        before, after = (
            {key: value for key, value in properties.items() if key not in _OF_INSTANCES}
            for properties in (old.properties, new)
        )
        if before != after:
            given = {**after, "StackSetName": set_id, "Tags": after.get("Tags", [])}
            await self._run("UpdateStackSet", self._add_preferences(given, new), f"{token}-set")
        await self._change_instances(old, old.properties, new, token)
        return dict(old.attributes)

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        set_id = self.get_reference(instance)
        try:
            found = (await self._invoke("ListStackInstances", {"StackSetName": set_id}))["Summaries"]
            if found:
                places = sorted({(one["Account"], one["Region"]) for one in found})
                # One account at a time: not each has an instance in each region.
                account = places[0][0]
                regions = [region for owner, region in places if owner == account]
                target = {"StackSetName": set_id, "Accounts": [account], "Regions": regions, "RetainStacks": False}
                await self._run("DeleteStackInstances", target, f"{token}-delete-{account}")
                return 0
            await self._invoke("DeleteStackSet", {"StackSetName": set_id})
        except Later as pause:
            return pause.seconds
        except AwsError as error:
            if error.code != "StackSetNotFoundException":
                raise
        return None

    # Instances

    async def _change_instances(
        self, instance: Instance, old: Mapping[str, Any], new: Mapping[str, Any], token: str
    ) -> None:
        """Delete, make and update instances, so that they are as the groups have them. Raises Later."""
        set_id = self.get_reference(instance)
        had, wants = _list_places(old), _list_places(new)
        gone = {place: overrides for place, overrides in had.items() if place not in wants}
        added = {place: overrides for place, overrides in wants.items() if place not in had}
        changed = {place: one for place, one in wants.items() if place in had and had[place] != one}
        for operation, places, more in (
            ("DeleteStackInstances", gone, {"RetainStacks": False}),
            ("CreateStackInstances", added, {}),
            ("UpdateStackInstances", changed, {}),
        ):
            for number, (accounts, regions, overrides) in enumerate(_make_groups(places)):
                target: dict[str, Any] = {"StackSetName": set_id, "Accounts": accounts, "Regions": regions, **more}
                if operation != "DeleteStackInstances":
                    target["ParameterOverrides"] = [
                        {"ParameterKey": key, "ParameterValue": value} for key, value in overrides
                    ]
                await self._run(operation, self._add_preferences(target, new), f"{token}-{operation[:6]}-{number}")

    def _add_preferences(self, params: dict[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        preferences = dict(properties.get("OperationPreferences") or {})
        if "Regions" in params and preferences.get("RegionOrder"):
            preferences["RegionOrder"] = [one for one in preferences["RegionOrder"] if one in params["Regions"]]
        return {**params, "OperationPreferences": preferences} if preferences else params

    async def _run(self, operation: str, params: dict[str, Any], operation_id: str) -> None:
        """Begin an operation on the set, once, and wait for it. Raises Later, and ReasonedError where it fails."""
        known = {"StackSetName": params["StackSetName"], "OperationId": operation_id}
        try:
            found = (await self._invoke("DescribeStackSetOperation", known))["StackSetOperation"]
        except AwsError as error:
            if error.code != "OperationNotFoundException":
                raise
            await self._invoke(operation, {**params, "OperationId": operation_id})
            raise Later(_PAUSE_SECONDS) from None
        if found["Status"] in ("QUEUED", "RUNNING", "STOPPING"):
            raise Later(_PAUSE_SECONDS)
        if found["Status"] != "SUCCEEDED":
            results = (await self._invoke("ListStackSetOperationResults", known))["Summaries"]
            reasons = [one.get("StatusReason", "") for one in results if one["Status"] == "FAILED"]
            raise ReasonedError(f"Stack set operation [{operation_id}] was {found['Status']}: {' '.join(reasons)}")

    async def _invoke(self, operation: str, params: dict[str, Any]) -> Any:
        return await self._work.invoke(_MODEL, operation, params)


def _list_places(properties: Mapping[str, Any]) -> dict[Place, Overrides]:
    """Return the places of all groups, with the overrides there."""
    found: dict[Place, Overrides] = {}
    for group in properties.get("StackInstancesGroup") or ():
        overrides = tuple((one["ParameterKey"], one["ParameterValue"]) for one in group.get("ParameterOverrides") or ())
        for account in group["DeploymentTargets"].get("Accounts") or ():
            found |= {(account, region): overrides for region in group["Regions"]}
    return found


def _make_groups(places: Mapping[Place, Overrides]) -> list[tuple[list[str], list[str], Overrides]]:
    """Return operations' accounts, regions and overrides that together are all places."""
    regions: dict[tuple[str, Overrides], list[str]] = {}
    for (account, region), overrides in sorted(places.items()):
        regions.setdefault((account, overrides), []).append(region)
    accounts: dict[tuple[tuple[str, ...], Overrides], list[str]] = {}
    for (account, overrides), found in regions.items():
        accounts.setdefault((tuple(found), overrides), []).append(account)
    return [(owners, list(found), overrides) for (found, overrides), owners in accounts.items()]
