"""Records and health checks of instances in Route 53, by its public API.

What is there is read, compared with what is wanted, and changed in one batch: a step may be repeated at any point.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.services.servicediscovery.attributes import ALIAS, CNAME, IPV4, IPV6, PORT, UNHEALTHY
from cloudlet.services.servicediscovery.map_record import DNS_PRIVATE, DiscoveryService, Instance, Namespace
from cloudlet.services.servicediscovery.states import DELETING

_ADDRESSES: Final = {"A": IPV4, "AAAA": IPV6}
_SRV_PRIORITY: Final = 1
_SRV_WEIGHT: Final = 1
_DEFAULT_PORTS: Final = {"HTTP": 80, "HTTPS": 443, "TCP": 80}
_REGION: Final = "us-east-1"
_ATTEMPTS: Final = 3
_BALANCERS: Final = "elbv2"
_SPECIAL: Final = re.compile(r"[^a-z0-9_.-]")
"""The characters that Route 53 shows by their numbers."""


async def call_names(block: Block, namespace: Namespace, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Call Route 53 for a namespace. Raises AwsError."""
    found = await block.call(
        "route53", operation, params, account=namespace.account, region=_REGION, source_arn=namespace.arn
    )
    return dict(found or {})


def make_name(namespace: Namespace, found: DiscoveryService) -> str:
    """Return the domain name of a service."""
    return f"{found.title}.{namespace.title}." if found.title != "." else f"{namespace.title}."


def list_wanted(
    namespace: Namespace, found: DiscoveryService, instance: Instance, alias_zone: str = ""
) -> list[dict[str, Any]]:
    """Return the records that an instance is to have. An unhealthy one has none."""
    if instance.state == DELETING or instance.custom_health == UNHEALTHY:
        return []
    name, given = make_name(namespace, found), instance.attributes
    routing: dict[str, Any] = {"SetIdentifier": instance.id}
    routing |= {"Weight": 1} if found.policy == "WEIGHTED" else {"MultiValueAnswer": True}
    if instance.health_check and ALIAS not in given:
        routing["HealthCheckId"] = instance.health_check
    wanted = []
    for each in found.records:
        base = {"Name": name, "Type": each.type, **routing}
        if ALIAS in given:
            zone = alias_zone or namespace.zone
            target = {"HostedZoneId": zone, "DNSName": given[ALIAS], "EvaluateTargetHealth": True}
            wanted.append({**base, "AliasTarget": target})
        elif each.type == "SRV":
            own = _make_own_name(name, instance)
            value = f"{_SRV_PRIORITY} {_SRV_WEIGHT} {given[PORT]} {own}"
            wanted.append({**base, **_make_values(each.ttl, value)})
            for kind, attribute in _ADDRESSES.items():
                if attribute in given:
                    wanted.append({"Name": own, "Type": kind, **_make_values(each.ttl, given[attribute])})
        else:
            attribute = _ADDRESSES.get(each.type, CNAME)
            wanted.append({**base, **_make_values(each.ttl, given[attribute])})
    return wanted


def _make_values(ttl: int, value: str) -> dict[str, Any]:
    return {"TTL": ttl, "ResourceRecords": [{"Value": value}]}


def _make_own_name(name: str, instance: Instance) -> str:
    """Return the name that an SRV record leads to, as Route 53 shows it."""
    label = _SPECIAL.sub(lambda found: f"\\{ord(found[0]):03o}", instance.id.lower())
    return f"{label}.{name}"


async def publish(block: Block, namespace: Namespace, found: DiscoveryService, instance: Instance) -> None:
    """Have an instance's records as they are wanted. Raises AwsError."""
    if not namespace.zone or not found.records:
        return
    for left in reversed(range(_ATTEMPTS)):
        try:
            await _publish_once(block, namespace, found, instance)
            return
        except AwsError as error:
            # Somebody else has changed the records since they were read.
            if error.code != "InvalidChangeBatch" or not left:
                raise


async def _publish_once(block: Block, namespace: Namespace, found: DiscoveryService, instance: Instance) -> None:
    there = [record async for record in _list_there(block, namespace, found, instance)]
    wanted = list_wanted(namespace, found, instance, await _find_alias_zone(block, namespace, instance))
    keys = [_get_key(record) for record in wanted]
    changes = [{"Action": "DELETE", "ResourceRecordSet": record} for record in there if _get_key(record) not in keys]
    changes += [{"Action": "UPSERT", "ResourceRecordSet": record} for record in wanted if record not in there]
    if changes:
        batch = {"HostedZoneId": namespace.zone, "ChangeBatch": {"Changes": changes}}
        await call_names(block, namespace, "ChangeResourceRecordSets", batch)


async def _find_alias_zone(block: Block, namespace: Namespace, instance: Instance) -> str:
    """Return the hosted zone of the load balancer that is an alias's target. Raises AwsError."""
    name = instance.attributes.get(ALIAS, "").lower().removesuffix(".").removeprefix("dualstack.")
    marker: dict[str, str] | None = {} if name and block.cloud.has(_BALANCERS) else None
    while marker is not None:
        answer = await block.call(
            _BALANCERS, "DescribeLoadBalancers", marker, account=namespace.account, region=namespace.region
        )
        for each in (answer or {}).get("LoadBalancers") or ():
            if each["DNSName"].lower() == name:
                return str(each["CanonicalHostedZoneId"])
        following = (answer or {}).get("NextMarker")
        marker = {"Marker": following} if following else None
    return ""


def _get_key(record: dict[str, Any]) -> tuple[str, str, str]:
    return record["Name"].lower(), record["Type"], record.get("SetIdentifier", "")


async def _list_there(
    block: Block, namespace: Namespace, found: DiscoveryService, instance: Instance
) -> AsyncIterator[dict[str, Any]]:
    """Return the records that an instance has."""
    name = make_name(namespace, found).lower()
    for record_name, kind, identifier in _list_keys(name, found, instance):
        asked = {
            "HostedZoneId": namespace.zone,
            "StartRecordName": record_name,
            "StartRecordType": kind,
            "MaxItems": "1",
            **({"StartRecordIdentifier": identifier} if identifier else {}),
        }
        page = await call_names(block, namespace, "ListResourceRecordSets", asked)
        for record in page.get("ResourceRecordSets") or ():
            if _get_key(record) == (record_name, kind, identifier):
                yield record


def _list_keys(name: str, found: DiscoveryService, instance: Instance) -> Iterator[tuple[str, str, str]]:
    for record_type in (*(each.type for each in found.records), *found.former_types):
        yield name, record_type, instance.id
        if record_type == "SRV":
            for kind in _ADDRESSES:
                yield _make_own_name(name, instance).lower(), kind, ""


async def make_health_check(block: Block, namespace: Namespace, found: DiscoveryService, instance: Instance) -> str:
    """Return the id of an instance's health check, which may be made now. Raises AwsError."""
    settings, given = found.health_check, instance.attributes
    # What an alias leads to has a health of its own.
    if settings is None or ALIAS in given:
        return ""
    endpoint = given.get(IPV4) or given.get(IPV6) or given.get(CNAME)
    if endpoint is None:
        # The service has got its health check later: there is nothing to ask here.
        return ""
    config: dict[str, Any] = {
        "Type": settings.type,
        "Port": int(given.get(PORT) or _DEFAULT_PORTS[settings.type]),
        "FailureThreshold": settings.threshold,
    }
    is_address = IPV4 in given or IPV6 in given
    config["IPAddress" if is_address else "FullyQualifiedDomainName"] = endpoint
    if settings.type != "TCP":
        config["ResourcePath"] = settings.path
    made_for = f"{found.name}/{found.health_version}/{instance.id}/{instance.registration}"
    params = {"CallerReference": sha256(made_for.encode()).hexdigest(), "HealthCheckConfig": config}
    made = await call_names(block, namespace, "CreateHealthCheck", params)
    identifier: str = made["HealthCheck"]["Id"]
    return identifier


async def delete_health_check(block: Block, namespace: Namespace, identifier: str) -> None:
    """Delete a health check, unless it is gone. Raises AwsError."""
    try:
        await call_names(block, namespace, "DeleteHealthCheck", {"HealthCheckId": identifier})
    except AwsError as error:
        if error.code != "NoSuchHealthCheck":
            raise


async def make_zone(block: Block, namespace: Namespace) -> str:
    """Return the id of a namespace's hosted zone, which may be made now. Raises AwsError."""
    params: dict[str, Any] = {
        "Name": namespace.title,
        "CallerReference": namespace.name,
        "HostedZoneConfig": {"Comment": "Created by AWS Cloud Map"},
    }
    if namespace.type == DNS_PRIVATE:
        params["VPC"] = {"VPCRegion": namespace.region, "VPCId": namespace.vpc}
    try:
        made = await call_names(block, namespace, "CreateHostedZone", params)
        identifier: str = made["HostedZone"]["Id"].rpartition("/")[2]
    except AwsError as error:
        if error.code != "HostedZoneAlreadyExists":
            raise
        identifier = await _find_zone(block, namespace)
    await set_negative_ttl(block, namespace, identifier)
    return identifier


async def _find_zone(block: Block, namespace: Namespace) -> str:
    """Return the id of the zone that an earlier attempt has made."""
    asked = {"DNSName": namespace.title, "MaxItems": "100"}
    page = await call_names(block, namespace, "ListHostedZonesByName", asked)
    for zone in page.get("HostedZones") or ():
        if zone["CallerReference"] == namespace.name:
            identifier: str = zone["Id"].rpartition("/")[2]
            return identifier
    raise AwsError("CannotCreateHostedZone", "The hosted zone of the namespace was deleted while it was created.")


async def set_negative_ttl(block: Block, namespace: Namespace, zone: str) -> None:
    """Have the absence of names cached for as long as a namespace says. Raises AwsError."""
    asked = {"HostedZoneId": zone, "StartRecordName": namespace.title, "StartRecordType": "SOA", "MaxItems": "1"}
    page = await call_names(block, namespace, "ListResourceRecordSets", asked)
    for record in page.get("ResourceRecordSets") or ():
        if record["Type"] == "SOA" and record["TTL"] != namespace.soa_ttl:
            changed = {"Action": "UPSERT", "ResourceRecordSet": {**record, "TTL": namespace.soa_ttl}}
            batch = {"HostedZoneId": zone, "ChangeBatch": {"Changes": [changed]}}
            await call_names(block, namespace, "ChangeResourceRecordSets", batch)


async def delete_zone(block: Block, namespace: Namespace) -> None:
    """Delete the hosted zone of a namespace, unless it is gone. Raises AwsError."""
    try:
        await call_names(block, namespace, "DeleteHostedZone", {"Id": namespace.zone})
    except AwsError as error:
        if error.code != "NoSuchHostedZone":
            raise
