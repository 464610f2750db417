"""The way to read resources of AWS Cloud Map."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, Source, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags

_TAGS: Final = read_tags("ListTagsForResource", "ResourceARN", "Arn")


def _get_soa(properties: Properties) -> dict[str, Any] | None:
    """Return the properties of a namespace's zone that a template has."""
    soa = find_path(properties[ANSWER], "Properties.DnsProperties.SOA")
    return {"DnsProperties": {"SOA": soa}} if soa else None


def _read_namespace(kind: str, *, has_zone: bool) -> Reading:
    """Return how a kind of namespaces is read."""
    zone: dict[str, Source | None] = {}
    if has_zone:
        zone = {"HostedZoneId": "Properties.DnsProperties.HostedZoneId", "Properties": _get_soa}
    return Reading(
        Read(Call("GetNamespace"), zone, root="Namespace"),
        (_TAGS,),
        Listing(
            Call("ListNamespaces", {"Filters": lambda properties: [{"Name": "TYPE", "Values": [kind]}]}), "Namespaces"
        ),
        unread=("Vpc",) if kind == "DNS_PRIVATE" else (),
    )


READINGS: Final = {
    "AWS::ServiceDiscovery::HttpNamespace": _read_namespace("HTTP", has_zone=False),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _read_namespace("DNS_PRIVATE", has_zone=True),
    "AWS::ServiceDiscovery::PublicDnsNamespace": _read_namespace("DNS_PUBLIC", has_zone=True),
    "AWS::ServiceDiscovery::Service": Reading(
        Read(Call("GetService"), {"Type": None}, root="Service"),
        (
            Read(
                Call("GetServiceAttributes", {"ServiceId": "Id"}),
                {"ServiceAttributes": "ServiceAttributes.Attributes"},
                is_exact=True,
            ),
            _TAGS,
        ),
        Listing(Call("ListServices"), "Services"),
        unread=("Type",),
    ),
    "AWS::ServiceDiscovery::Instance": Reading(
        Read(Call("GetInstance"), {"InstanceAttributes": "Attributes"}, root="Instance"),
        list=Listing(Call("ListInstances"), "Instances", {"InstanceId": "Id", "ServiceId": "{ServiceId}"}),
    ),
}
