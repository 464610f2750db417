"""The resource types of Elastic Load Balancing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import ITEM, Call, Items, Name, Part, Properties, Ready, ResourceType

_MODEL: Final = "elbv2"
_SERVED: Final = ("active", "active_impaired")
"""The states of load balancers that are ready."""


def _list_one(name: str) -> Callable[[Properties], list[Any]]:
    """Return a source that is a list of one property."""
    return lambda properties: [properties[name]]


def _list_item(properties: Properties) -> list[Any]:
    return [properties[ITEM]]


def _get_full_name(name: str, beginning: str) -> Callable[[Properties], str | None]:
    """Return a source that is the end of an ARN, after a text."""

    def get(properties: Properties) -> str | None:
        arn = properties.get(name)
        return None if arn is None else str(arn).partition(beginning)[2]

    return get


def _make_pools(properties: Properties) -> dict[str, str] | None:
    pool = properties.get("Ipv4IpamPoolId")
    return {"Ipv4IpamPoolId": pool} if pool else None


def _make_priorities(properties: Properties) -> list[dict[str, Any]]:
    return [{"RuleArn": properties["RuleArn"], "Priority": properties["Priority"]}]


def _has_no_transforms(properties: Properties) -> bool | None:
    return None if properties.get("Transforms") else True


def _tag(name: str) -> Mapping[str, Call]:
    """Return how tags of a resource change, whose ARN is a property."""
    arns = {"ResourceArns": _list_one(name)}
    return {"tag": Call("AddTags", arns), "untag": Call("RemoveTags", arns)}


def _make_type(name: str, **more: Any) -> ResourceType:
    return ResourceType(f"AWS::ElasticLoadBalancingV2::{name}", _MODEL, **more)


RESOURCE_TYPES: Final = (
    _make_type(
        "LoadBalancer",
        create=Call("CreateLoadBalancer", {"IpamPools": _make_pools}),
        read=Call("DescribeLoadBalancers", {"LoadBalancerArns": _list_one("LoadBalancerArn")}),
        exists=Call("DescribeLoadBalancers", {"Names": _list_one("Name")}),
        updates=(Call("SetSubnets"), Call("SetSecurityGroups")),
        parts=(
            Part(
                "LoadBalancerAttributes", Call("ModifyLoadBalancerAttributes", {"Attributes": "LoadBalancerAttributes"})
            ),
            Part("MinimumLoadBalancerCapacity", Call("ModifyCapacityReservation")),
        ),
        delete=Call("DeleteLoadBalancer"),
        named=Name("Name", 32),
        attributes={
            "LoadBalancerArn": "LoadBalancers.0.LoadBalancerArn",
            "DNSName": "LoadBalancers.0.DNSName",
            "CanonicalHostedZoneID": "LoadBalancers.0.CanonicalHostedZoneId",
            "LoadBalancerName": "LoadBalancers.0.LoadBalancerName",
            "LoadBalancerFullName": _get_full_name("LoadBalancerArn", ":loadbalancer/"),
        },
        ready=(Ready("LoadBalancers.0.State.Code", _SERVED, ("failed",), "LoadBalancers.0.State.Reason"),),
        list=Call("DescribeLoadBalancers"),
        **_tag("LoadBalancerArn"),
    ),
    _make_type(
        "Listener",
        create=Call("CreateListener"),
        read=Call("DescribeListeners", {"ListenerArns": _list_one("ListenerArn"), "LoadBalancerArn": None}),
        updates=(Call("ModifyListener"),),
        parts=(Part("ListenerAttributes", Call("ModifyListenerAttributes", {"Attributes": "ListenerAttributes"})),),
        delete=Call("DeleteListener"),
        attributes={"ListenerArn": "Listeners.0.ListenerArn"},
        **_tag("ListenerArn"),
    ),
    _make_type(
        "ListenerCertificate",
        parts=(
            Items(
                "Certificates",
                add=Call("AddListenerCertificates", {"Certificates": _list_item}),
                remove=Call("RemoveListenerCertificates", {"Certificates": _list_item}),
                key=lambda item: item.get("CertificateArn"),
                is_removed_first=True,
            ),
        ),
        unlisted=("ListenerArn",),
    ),
    _make_type(
        "ListenerRule",
        create=Call("CreateRule"),
        read=Call("DescribeRules", {"RuleArns": _list_one("RuleArn"), "ListenerArn": None}),
        updates=(
            Call("ModifyRule", {"ResetTransforms": _has_no_transforms}),
            Call("SetRulePriorities", {"RulePriorities": _make_priorities}),
        ),
        delete=Call("DeleteRule"),
        attributes={"RuleArn": "Rules.0.RuleArn", "IsDefault": "Rules.0.IsDefault"},
        **_tag("RuleArn"),
    ),
    _make_type(
        "TargetGroup",
        create=Call("CreateTargetGroup"),
        read=Call("DescribeTargetGroups", {"TargetGroupArns": _list_one("TargetGroupArn")}),
        exists=Call("DescribeTargetGroups", {"Names": _list_one("Name")}),
        updates=(Call("ModifyTargetGroup"),),
        parts=(
            Part("TargetGroupAttributes", Call("ModifyTargetGroupAttributes", {"Attributes": "TargetGroupAttributes"})),
            Items(
                "Targets",
                add=Call("RegisterTargets", {"Targets": _list_item}),
                remove=Call("DeregisterTargets", {"Targets": _list_item}),
            ),
        ),
        delete=Call("DeleteTargetGroup"),
        named=Name("Name", 32),
        attributes={
            "TargetGroupArn": "TargetGroups.0.TargetGroupArn",
            "TargetGroupName": "TargetGroups.0.TargetGroupName",
            "LoadBalancerArns": "TargetGroups.0.LoadBalancerArns",
            "TargetGroupFullName": lambda properties: (
                f"targetgroup/{_get_full_name('TargetGroupArn', ':targetgroup/')(properties)}"
            ),
        },
        list=Call("DescribeTargetGroups"),
        **_tag("TargetGroupArn"),
    ),
    _make_type(
        "TrustStore",
        create=Call("CreateTrustStore"),
        read=Call("DescribeTrustStores", {"TrustStoreArns": _list_one("TrustStoreArn")}),
        exists=Call("DescribeTrustStores", {"Names": _list_one("Name")}),
        updates=(Call("ModifyTrustStore"),),
        delete=Call("DeleteTrustStore"),
        named=Name("Name", 32),
        attributes={
            "TrustStoreArn": "TrustStores.0.TrustStoreArn",
            "Status": "TrustStores.0.Status",
            "NumberOfCaCertificates": "TrustStores.0.NumberOfCaCertificates",
        },
        list=Call("DescribeTrustStores"),
        **_tag("TrustStoreArn"),
    ),
    _make_type(
        "TrustStoreRevocation",
        create=Call("AddTrustStoreRevocations"),
        read=Call("DescribeTrustStoreRevocations", {"RevocationIds": _list_one("RevocationId")}),
        delete=Call("RemoveTrustStoreRevocations", {"RevocationIds": _list_one("RevocationId")}),
        attributes={
            "RevocationId": "TrustStoreRevocations.0.RevocationId",
            "TrustStoreRevocations": "TrustStoreRevocations",
        },
    ),
)
