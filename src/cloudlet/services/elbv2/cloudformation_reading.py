"""The way to read resources of Elastic Load Balancing.

Attributes are not read: those that a template leaves out have defaults, which would count as added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, Source
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading


def _list_one(name: str) -> Callable[[Properties], list[Any]]:
    """Return a source that is a list of one property, which is needed."""
    return lambda properties: [properties[name]]


def _read_tags(name: str) -> Read:
    return Read(
        Call("DescribeTags", {"ResourceArns": _list_one(name)}), {"Tags": "TagDescriptions.0.Tags"}, is_exact=True
    )


def _read_one(operation: str, arns: str, name: str, root: str, **properties: Source | None) -> Read:
    return Read(Call(operation, {arns: _list_one(name)}), properties, root=f"{root}.0")


def _list_subnets(properties: Properties) -> list[str]:
    return [each["SubnetId"] for each in properties[ANSWER].get("AvailabilityZones") or ()]


def _list_mappings(properties: Properties) -> list[dict[str, str]]:
    members = ("AllocationId", "PrivateIPv4Address")
    return [
        {
            "SubnetId": each["SubnetId"],
            **{
                name: value
                for address in each["LoadBalancerAddresses"]
                for name, value in address.items()
                if name in members
            },
        }
        for each in properties[ANSWER].get("AvailabilityZones") or ()
    ]


def _get_priority(properties: Properties) -> int | None:
    """Return the priority of a rule that is no default one."""
    priority = str(properties[ANSWER].get("Priority"))
    return int(priority) if priority.isdecimal() else None


def _list_actions(name: str) -> Callable[[Properties], list[dict[str, Any]]]:
    """Return a source that is actions, which name a target group once."""

    def make(properties: Properties) -> list[dict[str, Any]]:
        return [_shorten(action) for action in properties[ANSWER].get(name) or ()]

    return make


def _shorten(action: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in action.items() if name != "ForwardConfig" or "TargetGroupArn" not in action}


def _list_conditions(properties: Properties) -> list[dict[str, Any]]:
    """Return conditions with their values in one place alone."""
    found = []
    for condition in properties[ANSWER].get("Conditions") or ():
        is_plain = "Values" in condition or "RegexValues" in condition
        found.append({name: value for name, value in condition.items() if not (is_plain and name.endswith("Config"))})
    return found


def _list_targets(properties: Properties) -> list[dict[str, Any]]:
    return [
        each["Target"]
        for each in properties[ANSWER].get("TargetHealthDescriptions") or ()
        if each["TargetHealth"]["State"] != "draining"
    ]


_PREFIX: Final = "AWS::ElasticLoadBalancingV2::"
READINGS: Final = {
    f"{_PREFIX}LoadBalancer": Reading(
        _read_one(
            "DescribeLoadBalancers",
            "LoadBalancerArns",
            "LoadBalancerArn",
            "LoadBalancers",
            Name="LoadBalancerName",
            CanonicalHostedZoneID="CanonicalHostedZoneId",
            Subnets=_list_subnets,
            SubnetMappings=_list_mappings,
        ),
        (_read_tags("LoadBalancerArn"),),
        Listing(Call("DescribeLoadBalancers"), "LoadBalancers"),
        unread=("LoadBalancerAttributes", "LoadBalancerFullName", "Ipv4IpamPoolId", "MinimumLoadBalancerCapacity"),
    ),
    f"{_PREFIX}Listener": Reading(
        Read(
            Call("DescribeListeners", {"ListenerArns": _list_one("ListenerArn"), "LoadBalancerArn": None}),
            {"DefaultActions": _list_actions("DefaultActions")},
            root="Listeners.0",
        ),
        (_read_tags("ListenerArn"),),
        Listing(Call("DescribeListeners"), "Listeners"),
        unread=("ListenerAttributes",),
    ),
    f"{_PREFIX}ListenerRule": Reading(
        Read(
            Call("DescribeRules", {"RuleArns": _list_one("RuleArn"), "ListenerArn": None}),
            {
                "Priority": _get_priority,
                "Actions": _list_actions("Actions"),
                "Conditions": _list_conditions,
            },
            root="Rules.0",
        ),
        (_read_tags("RuleArn"),),
        Listing(Call("DescribeRules"), "Rules"),
    ),
    f"{_PREFIX}TargetGroup": Reading(
        _read_one("DescribeTargetGroups", "TargetGroupArns", "TargetGroupArn", "TargetGroups", Name="TargetGroupName"),
        (
            Read(Call("DescribeTargetHealth", {"Targets": None}), {"Targets": _list_targets}, is_exact=True),
            _read_tags("TargetGroupArn"),
        ),
        Listing(Call("DescribeTargetGroups"), "TargetGroups"),
        unread=("TargetGroupAttributes", "TargetGroupFullName", "TargetControlPort"),
    ),
    f"{_PREFIX}TrustStore": Reading(
        _read_one("DescribeTrustStores", "TrustStoreArns", "TrustStoreArn", "TrustStores"),
        (_read_tags("TrustStoreArn"),),
        Listing(Call("DescribeTrustStores"), "TrustStores"),
    ),
    f"{_PREFIX}TrustStoreRevocation": Reading(
        Read(
            Call("DescribeTrustStoreRevocations", {"RevocationIds": _list_one("RevocationId")}),
            {"TrustStoreRevocations": "TrustStoreRevocations"},
            root="TrustStoreRevocations.0",
        ),
        list=Listing(Call("DescribeTrustStoreRevocations"), "TrustStoreRevocations"),
    ),
}
