"""The resource types of AWS Cloud Map."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import ITEM, Call, Items, Name, Properties, Ready, ResourceType

_DONE: Final = (Ready("Operation.Status", ("SUCCESS",), ("FAIL",), "Operation.ErrorMessage"),)
_READ_OPERATION: Final = Call("GetOperation", {"OperationId": "Operation"})
_TAG: Final = Call("TagResource", {"ResourceARN": "Arn"})
_UNTAG: Final = Call("UntagResource", {"ResourceARN": "Arn"})


def _make_namespace_change(properties: Properties) -> dict[str, Any]:
    """Return the members of a namespace that can be changed."""
    change: dict[str, Any] = {"Description": properties.get("Description") or ""}
    if properties.get("Properties"):
        change["Properties"] = properties["Properties"]
    return change


def _make_namespace(name: str, kind: str, *, has_zone: bool) -> ResourceType:
    """Return the type of a kind of namespaces."""
    zone = {"HostedZoneId": "Properties.DnsProperties.HostedZoneId"} if has_zone else {}
    return ResourceType(
        f"AWS::ServiceDiscovery::{name}",
        "servicediscovery",
        create=Call(f"Create{name}"),
        read=_READ_OPERATION,
        lookups=(Call("GetNamespace"),) if has_zone else (),
        updates=(Call(f"Update{name}", {"Namespace": _make_namespace_change}),),
        delete=Call("DeleteNamespace"),
        exists=Call("GetNamespace"),
        attributes={
            "Operation": "OperationId",
            "Id": "Operation.Targets.NAMESPACE",
            "Arn": "arn:{partition}:servicediscovery:{region}:{account}:namespace/{Id}",
            **zone,
        },
        ready=_DONE,
        is_deleted_later=True,
        tag=_TAG,
        untag=_UNTAG,
        list=Call("ListNamespaces", {"Filters": lambda properties: [{"Name": "TYPE", "Values": [kind]}]}),
    )


def _make_service_change(properties: Properties) -> dict[str, Any]:
    """Return the members of a service that can be changed."""
    change: dict[str, Any] = {"Description": properties.get("Description") or ""}
    if properties.get("DnsConfig"):
        records = properties["DnsConfig"]["DnsRecords"]
        change["DnsConfig"] = {
            "DnsRecords": [{"Type": record["Type"], "TTL": int(record["TTL"])} for record in records]
        }
    if properties.get("HealthCheckConfig"):
        change["HealthCheckConfig"] = properties["HealthCheckConfig"]
    return change


def _list_attributes(properties: Properties) -> list[dict[str, str]]:
    given = properties.get("ServiceAttributes") or {}
    return [{"Key": key, "Value": value} for key, value in given.items()]


_ATTRIBUTES: Final = Items(
    _list_attributes,
    add=Call(
        "UpdateServiceAttributes",
        {
            "ServiceId": "Id",
            "Attributes": lambda properties: {properties[ITEM]["Key"]: properties[ITEM]["Value"]},
        },
    ),
    remove=Call(
        "DeleteServiceAttributes",
        {"ServiceId": "Id", "Attributes": lambda properties: [properties[ITEM]["Key"]]},
    ),
    key=lambda item: item["Key"],
)

RESOURCE_TYPES: Final = (
    _make_namespace("HttpNamespace", "HTTP", has_zone=False),
    _make_namespace("PrivateDnsNamespace", "DNS_PRIVATE", has_zone=True),
    _make_namespace("PublicDnsNamespace", "DNS_PUBLIC", has_zone=True),
    ResourceType(
        "AWS::ServiceDiscovery::Service",
        "servicediscovery",
        create=Call("CreateService"),
        read=Call("GetService"),
        updates=(Call("UpdateService", {"Service": _make_service_change}),),
        parts=(_ATTRIBUTES,),
        delete=Call("DeleteService"),
        attributes={"Id": "Service.Id", "Arn": "Service.Arn"},
        tag=_TAG,
        untag=_UNTAG,
    ),
    ResourceType(
        "AWS::ServiceDiscovery::Instance",
        "servicediscovery",
        create=Call("RegisterInstance", {"Attributes": "InstanceAttributes"}),
        read=_READ_OPERATION,
        updates=(Call("RegisterInstance", {"Attributes": "InstanceAttributes"}),),
        delete=Call("DeregisterInstance"),
        exists=Call("GetInstance"),
        named=Name("InstanceId", 64),
        attributes={"Operation": "OperationId"},
        ready=_DONE,
        ref="InstanceId",
        is_deleted_later=True,
    ),
)
