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


def _make_resource(
    noun: str, attributes: Mapping[str, Any], read: Mapping[str, None] | None = None, name: str = "", **more: Any
) -> ResourceType:
    """Return the type of a resource that operations create, describe and delete by its ARN.

    `attributes` that are a text are the members of a description.
    """
    return _make_type(
        name or noun,
        create=more.pop("create", Call(f"Create{noun}")),
        read=Call(f"Describe{noun}s", {f"{noun}Arns": _list_one(f"{noun}Arn"), **(read or {})}),
        delete=Call(f"Delete{noun}"),
        attributes={
            key: f"{noun}s.0.{each}" if isinstance(each, str) else each
            for key, each in {f"{noun}Arn": f"{noun}Arn", **attributes}.items()
        },
        **_tag(f"{noun}Arn"),
        **more,
    )


def _make_named_resource(noun: str, attributes: Mapping[str, Any], **more: Any) -> ResourceType:
    """Return the type of a resource that has a name, too."""
    return _make_resource(
        noun,
        attributes,
        exists=Call(f"Describe{noun}s", {"Names": _list_one("Name")}),
        named=Name("Name", 32),
        list=Call(f"Describe{noun}s"),
        **more,
    )


def _make_attributes(noun: str) -> Part:
    """Return the part of a resource that its attributes are."""
    return Part(f"{noun}Attributes", Call(f"Modify{noun}Attributes", {"Attributes": f"{noun}Attributes"}))


RESOURCE_TYPES: Final = (
    _make_named_resource(
        "LoadBalancer",
        {
            "DNSName": "DNSName",
            "CanonicalHostedZoneID": "CanonicalHostedZoneId",
            "LoadBalancerName": "LoadBalancerName",
            "LoadBalancerFullName": _get_full_name("LoadBalancerArn", ":loadbalancer/"),
        },
        create=Call("CreateLoadBalancer", {"IpamPools": _make_pools}),
        updates=(Call("SetSubnets"), Call("SetSecurityGroups")),
        parts=(
            _make_attributes("LoadBalancer"),
            Part("MinimumLoadBalancerCapacity", Call("ModifyCapacityReservation")),
        ),
        ready=(Ready("LoadBalancers.0.State.Code", _SERVED, ("failed",), "LoadBalancers.0.State.Reason"),),
    ),
    _make_resource(
        "Listener",
        {},
        read={"LoadBalancerArn": None},
        updates=(Call("ModifyListener"),),
        parts=(_make_attributes("Listener"),),
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
    _make_resource(
        "Rule",
        {"IsDefault": "IsDefault"},
        read={"ListenerArn": None},
        name="ListenerRule",
        updates=(
            Call("ModifyRule", {"ResetTransforms": _has_no_transforms}),
            Call("SetRulePriorities", {"RulePriorities": _make_priorities}),
        ),
    ),
    _make_named_resource(
        "TargetGroup",
        {
            "TargetGroupName": "TargetGroupName",
            "LoadBalancerArns": "LoadBalancerArns",
            "TargetGroupFullName": lambda properties: (
                f"targetgroup/{_get_full_name('TargetGroupArn', ':targetgroup/')(properties)}"
            ),
        },
        updates=(Call("ModifyTargetGroup"),),
        parts=(
            _make_attributes("TargetGroup"),
            Items(
                "Targets",
                add=Call("RegisterTargets", {"Targets": _list_item}),
                remove=Call("DeregisterTargets", {"Targets": _list_item}),
            ),
        ),
    ),
    _make_named_resource(
        "TrustStore",
        {"Status": "Status", "NumberOfCaCertificates": "NumberOfCaCertificates"},
        updates=(Call("ModifyTrustStore"),),
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
