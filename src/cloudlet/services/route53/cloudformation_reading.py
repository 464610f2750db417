"""The way to read resources of Amazon Route 53."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import ITEM, Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, find_in


def _get_name(properties: Properties) -> str:
    """Return a domain name as it was given, where that is the same one."""
    found = str(find_path(properties[ANSWER], "HostedZone.Name") or find_path(properties[ANSWER], "Name"))
    given = str(properties.get("Name") or "")
    return given if given.lower().rstrip(".") == found.rstrip(".") else found.rstrip(".")


def _get_comment(properties: Properties) -> dict[str, str] | None:
    comment = find_path(properties[ANSWER], "HostedZone.Config.Comment")
    return {"Comment": comment} if comment else None


def _find_record(properties: Properties) -> dict[str, Any] | None:
    """Return the record set that an identifier names."""
    wanted = (str(properties["Name"]).lower().rstrip("."), properties["Type"], properties.get("SetIdentifier") or "")
    for record in properties[ANSWER].get("ResourceRecordSets") or ():
        name = record["Name"].replace("\\052", "*").rstrip(".")
        if (name, record["Type"], record.get("SetIdentifier") or "") == wanted:
            found: dict[str, Any] = record
            return found
    return None


def _list_values(properties: Properties) -> list[str] | None:
    values = properties[ANSWER].get("ResourceRecords")
    return None if values is None else [each["Value"] for each in values]


def _get_ttl(properties: Properties) -> str | None:
    ttl = properties[ANSWER].get("TTL")
    return None if ttl is None else str(ttl)


def _list_locations(properties: Properties) -> list[dict[str, Any]]:
    """Return the locations of a CIDR collection with their blocks."""
    found: dict[str, list[str]] = {}
    for block in properties[ANSWER].get("CidrBlocks") or ():
        found.setdefault(block["LocationName"], []).append(block["CidrBlock"])
    return [{"LocationName": name, "CidrList": blocks} for name, blocks in found.items()]


def _read_tags(kind: str, property: str, identifier: str) -> Read:
    call = Call("ListTagsForResource", {"ResourceType": lambda properties: kind, "ResourceId": identifier})
    return Read(call, {property: "ResourceTagSet.Tags"}, is_exact=True)


_OWN_ID: Final = {"Id": lambda properties: str(properties["Arn"]).rpartition("/")[2]}


def _find_listed_id(properties: Properties) -> str:
    return str(properties[ITEM]["Id"]).rpartition("/")[2]


READINGS: Final = {
    "AWS::Route53::HostedZone": Reading(
        Read(
            Call("GetHostedZone"),
            {
                "Name": _get_name,
                "HostedZoneConfig": _get_comment,
                "VPCs": "VPCs",
                "NameServers": "DelegationSet.NameServers",
            },
            is_exact=True,
        ),
        (_read_tags("hostedzone", "HostedZoneTags", "Id"),),
        Listing(
            Call("ListHostedZones"),
            "HostedZones",
            {"Id": _find_listed_id},
        ),
        unread=("DelegationSetId", "HostedZoneFeatures", "QueryLoggingConfig"),
    ),
    "AWS::Route53::RecordSet": Reading(
        Read(
            Call(
                "ListResourceRecordSets",
                {
                    "StartRecordName": "Name",
                    "StartRecordType": "Type",
                    "StartRecordIdentifier": lambda properties: properties.get("SetIdentifier") or None,
                    "MaxItems": lambda properties: "1",
                },
            ),
            {"Name": _get_name, "ResourceRecords": _list_values, "TTL": _get_ttl},
            root=_find_record,
        ),
        unread=("Comment", "HostedZoneName"),
    ),
    "AWS::Route53::HealthCheck": Reading(
        others=(_read_tags("healthcheck", "HealthCheckTags", "HealthCheckId"),),
        list=Listing(Call("ListHealthChecks"), "HealthChecks", {"HealthCheckId": "Id"}),
    ),
    "AWS::Route53::CidrCollection": Reading(
        Read(Call("ListCidrCollections"), root=find_in("CidrCollections", "Id", "Id")),
        (
            Read(
                Call("ListCidrBlocks", {"CollectionId": "Id", "LocationName": None}),
                {"Locations": _list_locations},
                is_exact=True,
            ),
        ),
        Listing(Call("ListCidrCollections"), "CidrCollections"),
    ),
    "AWS::Route53::KeySigningKey": Reading(
        Read(
            Call("GetDNSSEC"),
            {"KeyManagementServiceArn": "KmsArn"},
            root=find_in("KeySigningKeys", "Name", "Name"),
        ),
    ),
    "AWS::Route53::DelegationSet": Reading(
        Read(Call("GetReusableDelegationSet", _OWN_ID), _OWN_ID),
        list=Listing(
            Call("ListReusableDelegationSets"),
            "DelegationSets",
            {
                "Id": _find_listed_id,
                "Arn": lambda properties: (
                    f"arn:{properties['partition']}:route53:::delegationset/{_find_listed_id(properties)}"
                ),
            },
        ),
    ),
    "AWS::Route53::QueryLoggingConfig": Reading(
        Read(Call("GetQueryLoggingConfig", _OWN_ID)),
        list=Listing(Call("ListQueryLoggingConfigs", {"HostedZoneId": None})),
    ),
    "AWS::Route53::TrafficPolicy": Reading(
        Read(Call("GetTrafficPolicy", {**_OWN_ID, "Version": lambda properties: 1})),
        list=Listing(Call("ListTrafficPolicies")),
    ),
    "AWS::Route53::TrafficPolicyInstance": Reading(
        Read(Call("GetTrafficPolicyInstance", _OWN_ID)),
        list=Listing(Call("ListTrafficPolicyInstances")),
    ),
    "AWS::Route53::DNSSEC": Reading(
        Read(
            Call("GetDNSSEC"),
            root=lambda properties: (
                properties[ANSWER] if find_path(properties[ANSWER], "Status.ServeSignature") == "SIGNING" else None
            ),
            is_exact=True,
        ),
    ),
}
