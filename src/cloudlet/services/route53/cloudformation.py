"""The resource types of Amazon Route 53."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import (
    GENERATED,
    ITEM,
    NAME,
    Call,
    Items,
    Properties,
    Ready,
    ResourceType,
    Source,
    find_path,
)


def _get_zone(properties: Properties) -> str:
    """Return the id of a record set's zone, "" before it is looked up. Raises ValueError."""
    item = properties.get(ITEM)
    named = {**properties, **item} if isinstance(item, dict) else properties
    if named.get("HostedZoneId"):
        return str(named["HostedZoneId"])
    if named.get("ZoneId"):
        return str(named["ZoneId"]).rpartition("/")[2]
    if GENERATED not in properties:
        return ""
    wanted = str(named["HostedZoneName"]).lower().rstrip(".")
    for zone in find_path(properties, f"{GENERATED}.HostedZones") or ():
        if zone["Name"].rstrip(".") == wanted:
            return str(zone["Id"]).rpartition("/")[2]
    raise ValueError(f"No hosted zones named {named['HostedZoneName']} found")


def _make_record(given: Properties) -> dict[str, Any]:
    """Return a record set as ChangeResourceRecordSets has it."""
    members = (
        "AliasTarget",
        "CidrRoutingConfig",
        "Failover",
        "GeoLocation",
        "GeoProximityLocation",
        "HealthCheckId",
        "MultiValueAnswer",
        "Name",
        "Region",
        "SetIdentifier",
        "Type",
        "Weight",
    )
    made = {name: given[name] for name in members if given.get(name) is not None}
    if "AliasTarget" in made:
        made["AliasTarget"] = {"EvaluateTargetHealth": False, **made["AliasTarget"]}
    if given.get("TTL") is not None:
        made["TTL"] = int(given["TTL"])
    if given.get("ResourceRecords") is not None:
        made["ResourceRecords"] = [{"Value": value} for value in given["ResourceRecords"]]
    return made


def _list_records(properties: Properties) -> list[dict[str, Any]]:
    """Return the record sets of a group, or the one that a resource is."""
    given = properties.get("RecordSets")
    return [_make_record(each) for each in (given if given is not None else [properties])]


def _get_key(record: dict[str, Any]) -> tuple[str, str, str]:
    return str(record["Name"]).lower(), str(record["Type"]), str(record.get("SetIdentifier", ""))


def _make_batch(properties: Properties) -> dict[str, Any]:
    changes = [{"Action": "CREATE", "ResourceRecordSet": record} for record in _list_records(properties)]
    return {"Changes": changes, **_make_comment(properties)}


def _make_comment(properties: Properties) -> dict[str, Any]:
    return {"Comment": properties["Comment"]} if properties.get("Comment") else {}


def _make_change(action: str) -> Call:
    """Return the call that does something to one record set."""

    def make(properties: Properties) -> dict[str, Any]:
        return {
            "Changes": [{"Action": action, "ResourceRecordSet": properties[ITEM]}],
            **_make_comment(properties),
        }

    return Call("ChangeResourceRecordSets", {"HostedZoneId": _get_zone, "ChangeBatch": make})


_RECORDS: Final = Items(
    _list_records,
    add=_make_change("CREATE"),
    remove=_make_change("DELETE"),
    change=_make_change("UPSERT"),
    key=_get_key,
    is_made=True,
    is_removed_first=True,
)
_FIND_ZONE: Final = Call("ListHostedZonesByName", {"DNSName": "HostedZoneName", "HostedZoneId": None})


def _make_tags(kind: str, property: str, identifier: str) -> Items:
    """Return the tags of a resource, one by one."""
    named: dict[str, Source | None] = {"ResourceType": lambda properties: kind, "ResourceId": identifier}
    return Items(
        property,
        add=Call("ChangeTagsForResource", {**named, "AddTags": lambda properties: [properties[ITEM]]}),
        remove=Call("ChangeTagsForResource", {**named, "RemoveTagKeys": lambda properties: [properties[ITEM]["Key"]]}),
        key=lambda tag: tag["Key"],
    )


def _get_id(properties: Properties) -> str | None:
    """Return the id of a zone that was created now."""
    return str(properties["Path"]).rpartition("/")[2] if "Path" in properties else None


def _get_comment(properties: Properties) -> str:
    return str(find_path(properties, "HostedZoneConfig.Comment") or "")


def _list_locations(properties: Properties) -> list[dict[str, Any]]:
    """Return the blocks of a CIDR collection, one by one."""
    return [
        {"LocationName": location["LocationName"], "CidrList": [block]}
        for location in properties.get("Locations") or ()
        for block in location["CidrList"]
    ]


def _change_blocks(action: str) -> Call:
    def make(properties: Properties) -> list[dict[str, Any]]:
        return [{**properties[ITEM], "Action": action}]

    return Call("ChangeCidrCollection", {"Changes": make})


_CHANGEABLE: Final = (
    "AlarmIdentifier",
    "ChildHealthChecks",
    "EnableSNI",
    "FailureThreshold",
    "FullyQualifiedDomainName",
    "HealthThreshold",
    "InsufficientDataHealthStatus",
    "Inverted",
    "IPAddress",
    "Port",
    "Regions",
    "ResourcePath",
    "SearchString",
)

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::Route53::HostedZone",
        "route53",
        create=Call(
            "CreateHostedZone",
            {"CallerReference": NAME, "VPC": "VPCs.0"},
        ),
        read=Call("GetHostedZone"),
        updates=(Call("UpdateHostedZoneComment", {"Comment": _get_comment}),),
        parts=(
            Items(
                "VPCs",
                add=Call("AssociateVPCWithHostedZone", {"HostedZoneId": "Id", "VPC": ITEM}),
                remove=Call("DisassociateVPCFromHostedZone", {"HostedZoneId": "Id", "VPC": ITEM}),
            ),
            _make_tags("hostedzone", "HostedZoneTags", "Id"),
        ),
        delete=Call("DeleteHostedZone"),
        attributes={"Path": "HostedZone.Id", "Id": _get_id, "NameServers": "DelegationSet.NameServers"},
    ),
    ResourceType(
        "AWS::Route53::RecordSet",
        "route53",
        create=Call("ChangeResourceRecordSets", {"HostedZoneId": _get_zone, "ChangeBatch": _make_batch}),
        generate=("HostedZoneName", _FIND_ZONE),
        lookups=(_FIND_ZONE,),
        parts=(_RECORDS,),
        attributes={"ZoneId": "HostedZones.0.Id"},
        ref="Name",
    ),
    ResourceType(
        "AWS::Route53::RecordSetGroup",
        "route53",
        create=Call("ChangeResourceRecordSets", {"HostedZoneId": _get_zone, "ChangeBatch": _make_batch}),
        generate=("HostedZoneName", _FIND_ZONE),
        lookups=(_FIND_ZONE,),
        parts=(_RECORDS,),
        attributes={"Id": f"{{{NAME}}}", "ZoneId": "HostedZones.0.Id"},
    ),
    ResourceType(
        "AWS::Route53::HealthCheck",
        "route53",
        create=Call("CreateHealthCheck", {"CallerReference": NAME}),
        read=Call("GetHealthCheck"),
        updates=(Call("UpdateHealthCheck", {name: f"HealthCheckConfig.{name}" for name in _CHANGEABLE}),),
        parts=(_make_tags("healthcheck", "HealthCheckTags", "HealthCheckId"),),
        delete=Call("DeleteHealthCheck"),
        attributes={"HealthCheckId": "HealthCheck.Id"},
    ),
    ResourceType(
        "AWS::Route53::CidrCollection",
        "route53",
        create=Call("CreateCidrCollection", {"CallerReference": NAME}),
        parts=(
            Items(
                _list_locations,
                add=_change_blocks("PUT"),
                remove=_change_blocks("DELETE_IF_EXISTS"),
                is_removed_first=True,
            ),
        ),
        delete=Call("DeleteCidrCollection"),
        attributes={"Id": "Collection.Id", "Arn": "Collection.Arn"},
    ),
    ResourceType(
        "AWS::Route53::KeySigningKey",
        "route53",
        create=Call("CreateKeySigningKey", {"CallerReference": NAME}),
        parts=(
            Items(
                lambda properties: ["ACTIVE"] if properties.get("Status") == "ACTIVE" else [],
                add=Call("ActivateKeySigningKey"),
                remove=Call("DeactivateKeySigningKey"),
                is_made=True,
                is_removed_first=True,
            ),
        ),
        delete=Call("DeleteKeySigningKey"),
    ),
    ResourceType(
        "AWS::Route53::DNSSEC",
        "route53",
        create=Call("EnableHostedZoneDNSSEC"),
        read=Call("GetDNSSEC"),
        delete=Call("DisableHostedZoneDNSSEC"),
    ),
    ResourceType(
        "AWS::Route53::DelegationSet",
        "route53",
        create=Call("CreateReusableDelegationSet", {"CallerReference": NAME}),
        delete=Call("DeleteReusableDelegationSet"),
        attributes={
            "Path": "DelegationSet.Id",
            "Id": _get_id,
            "CallerReference": "DelegationSet.CallerReference",
            "NameServers": "DelegationSet.NameServers",
            "Arn": "arn:{partition}:route53:::delegationset/{Id}",
        },
    ),
    ResourceType(
        "AWS::Route53::QueryLoggingConfig",
        "route53",
        create=Call("CreateQueryLoggingConfig"),
        delete=Call("DeleteQueryLoggingConfig"),
        attributes={
            "Id": "QueryLoggingConfig.Id",
            "Arn": "arn:{partition}:route53:::queryloggingconfig/{Id}",
        },
    ),
    ResourceType(
        "AWS::Route53::TrafficPolicy",
        "route53",
        create=Call("CreateTrafficPolicy"),
        updates=(Call("UpdateTrafficPolicyComment", absent={"Comment": ""}),),
        delete=Call("DeleteTrafficPolicy"),
        attributes={
            **{name: f"TrafficPolicy.{name}" for name in ("Id", "Version", "Type")},
            "Arn": "arn:{partition}:route53:::trafficpolicy/{Id}",
        },
    ),
    ResourceType(
        "AWS::Route53::TrafficPolicyInstance",
        "route53",
        create=Call("CreateTrafficPolicyInstance"),
        read=Call("GetTrafficPolicyInstance"),
        updates=(Call("UpdateTrafficPolicyInstance"),),
        delete=Call("DeleteTrafficPolicyInstance"),
        attributes={
            **{name: f"TrafficPolicyInstance.{name}" for name in ("Id", "State", "TrafficPolicyType")},
            "Arn": "arn:{partition}:route53:::trafficpolicyinstance/{Id}",
        },
        ready=(Ready("TrafficPolicyInstance.State", ("Applied",), ("Failed",), "TrafficPolicyInstance.Message"),),
    ),
)
