"""The operations on services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.services.servicediscovery import errors, filters, limits, storing
from cloudlet.services.servicediscovery.block import service
from cloudlet.services.servicediscovery.errors import InvalidInput
from cloudlet.services.servicediscovery.map_record import (
    DNS_PRIVATE,
    HTTP,
    DiscoveryService,
    DnsRecord,
    HealthCheckSettings,
    Namespace,
)
from cloudlet.services.servicediscovery.reconciling import SERVICE_RECONCILER
from cloudlet.services.servicediscovery.storing import SERVICES, get_namespace, get_service

_TOGETHER: Final = ({"A"}, {"AAAA"}, {"A", "AAAA"}, {"CNAME"}, {"SRV"})
"""The types that the records of a service may have (DnsRecord)."""


@service.operation("CreateService")
async def create_service(ctx: Context, tx: Transaction, params: Params) -> Result:
    title, creator, dns = params["Name"], params.get("CreatorRequestId") or "", params.get("DnsConfig") or {}
    given = params.get("NamespaceId") or dns.get("NamespaceId")
    if not given:
        raise InvalidInput("NamespaceId must be specified.")
    namespace = await get_namespace(ctx, tx, given)
    name_row = storing.SERVICE_NAMES.key(ctx.account, ctx.region, namespace.name, title.lower())
    known = await tx.get(name_row)
    if known is not None:
        found = await get_service(ctx, tx, known.decode())
        if creator and found.creator == creator:
            return {"Service": _describe(found, await storing.count_instances(tx, found.name))}
        raise AwsError(
            "ServiceAlreadyExists",
            f"The service {title} already exists.",
            ServiceId=found.name,
            ServiceArn=found.arn,
            CreatorRequestId=found.creator,
        )
    records = _parse_records(namespace, params)
    policy = (dns.get("RoutingPolicy") or "MULTIVALUE") if records else ""
    if any(record.type == "CNAME" for record in records) and policy != "WEIGHTED":
        raise InvalidInput("A CNAME record requires the WEIGHTED routing policy.")
    has_custom = params.get("HealthCheckCustomConfig") is not None
    made = DiscoveryService(
        ctx.account,
        ctx.region,
        storing.make_id("srv"),
        title,
        namespace.name,
        ctx.now(),
        creator,
        params.get("Description") or "",
        policy,
        records,
        _parse_health_check(namespace, records, params.get("HealthCheckConfig")),
        has_custom,
    )
    if has_custom and made.health_check is not None:
        raise InvalidInput("You can specify either HealthCheckConfig or HealthCheckCustomConfig, but not both.")
    SERVICES.save(tx, made)
    tx.put(name_row, made.name.encode())
    tags.save(tx, made.arn, tags.merge({}, params.get("Tags"), InvalidInput, errors.TooManyTags))
    return {"Service": _describe(made, 0)}


def _parse_records(namespace: Namespace, params: Params) -> tuple[DnsRecord, ...]:
    """Return the records that instances get. Raises InvalidInput."""
    dns = params.get("DnsConfig")
    if dns is None:
        return ()
    if namespace.type == HTTP:
        raise InvalidInput("DnsConfig cannot be specified for a service in an HTTP namespace.")
    if params.get("Type") == HTTP:
        raise InvalidInput("DnsConfig cannot be specified for a service of type HTTP.")
    records = tuple(DnsRecord(each["Type"], each["TTL"]) for each in dns["DnsRecords"])
    types = [record.type for record in records]
    if len(set(types)) != len(types) or set(types) not in _TOGETHER:
        raise InvalidInput(f"The record types {', '.join(types)} cannot be combined.")
    return records


def _parse_health_check(
    namespace: Namespace, records: Sequence[DnsRecord], given: Mapping[str, Any] | None
) -> HealthCheckSettings | None:
    """Return the health check that instances get. Raises InvalidInput."""
    if given is None:
        return None
    if namespace.type == DNS_PRIVATE:
        raise InvalidInput("HealthCheckConfig cannot be specified for a service in a private DNS namespace.")
    if any(record.type == "CNAME" for record in records):
        raise InvalidInput("HealthCheckConfig cannot be specified for a service with a CNAME record.")
    if given["Type"] == "TCP" and given.get("ResourcePath"):
        raise InvalidInput("ResourcePath cannot be specified for a health check of type TCP.")
    path = "" if given["Type"] == "TCP" else given.get("ResourcePath") or "/"
    return HealthCheckSettings(given["Type"], path, given.get("FailureThreshold") or 1)


def _describe(found: DiscoveryService, instances: int, *, is_listed: bool = False) -> dict[str, Any]:
    """Return a service as the API has it."""
    shown: dict[str, Any] = {
        "Id": found.name,
        "Arn": found.arn,
        "ResourceOwner": found.account,
        "Name": found.title,
        "Type": "DNS_HTTP" if found.records else HTTP,
        "InstanceCount": instances,
        "CreateDate": found.created,
        "CreatedByAccount": found.account,
    }
    if found.description:
        shown["Description"] = found.description
    if found.records:
        shown["DnsConfig"] = {
            "RoutingPolicy": found.policy,
            "DnsRecords": [{"Type": record.type, "TTL": record.ttl} for record in found.records],
        }
    if found.health_check is not None:
        settings = found.health_check
        shown["HealthCheckConfig"] = {"Type": settings.type, "FailureThreshold": settings.threshold}
        if settings.path:
            shown["HealthCheckConfig"]["ResourcePath"] = settings.path
    if found.has_custom_health:
        shown["HealthCheckCustomConfig"] = {"FailureThreshold": 1}
    if is_listed:
        return shown
    shown["NamespaceId"] = found.namespace
    if found.records:
        shown["DnsConfig"]["NamespaceId"] = found.namespace
    return {**shown, "CreatorRequestId": found.creator} if found.creator else shown


@service.operation("GetService")
async def get_service_operation(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["Id"])
    return {"Service": _describe(found, await storing.count_instances(tx, found.name))}


@service.operation("ListServices")
async def list_services(ctx: Context, tx: Transaction, params: Params) -> Result:
    given = [
        {**each, "Values": [storing.to_id(value) for value in each["Values"]]} for each in params.get("Filters") or ()
    ]
    matches = filters.make_filter(given)

    def select(raw: bytes) -> DiscoveryService | None:
        found = SERVICES.decode(raw)
        return found if matches({"NAMESPACE_ID": found.namespace}) else None

    space = SERVICES.get_space(ctx.account, ctx.region)
    limit, wrong = params.get("MaxResults") or limits.PAGE, InvalidInput("Invalid NextToken.")
    page, token = await listing.list_page(tx, space, params.get("NextToken"), limit, select, wrong)
    shown = [_describe(each, await storing.count_instances(tx, each.name), is_listed=True) for each in page]
    return {"Services": shown, "NextToken": token}


@service.operation("UpdateService")
async def update_service(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, wanted = await get_service(ctx, tx, params["Id"]), params["Service"]
    namespace = await get_namespace(ctx, tx, found.namespace)
    if found.operation:
        raise errors.DuplicateRequest(found.operation)
    records = tuple(
        DnsRecord(each["Type"], each["TTL"]) for each in (wanted.get("DnsConfig") or {}).get("DnsRecords") or ()
    )
    if namespace.type == HTTP and (records or wanted.get("HealthCheckConfig") is not None):
        raise InvalidInput("A service in an HTTP namespace has a description alone that can be changed.")
    if namespace.type != HTTP and {each.type for each in records} - {each.type for each in found.records}:
        raise InvalidInput("The record types of a service cannot be changed: delete and create it again.")
    health_check = found.health_check
    if namespace.type != HTTP:
        health_check = _parse_health_check(namespace, found.records, wanted.get("HealthCheckConfig"))
    kept = records or found.records
    known_types = {each.type for each in found.records} | set(found.former_types)
    operation = storing.begin_operation(
        ctx, tx, "UPDATE_SERVICE", found.namespace, found.name, SERVICE=found.name, NAMESPACE=found.namespace
    )
    changed = replace(
        found,
        description=found.description if wanted.get("Description") is None else wanted["Description"],
        records=kept,
        former_types=tuple(sorted(known_types - {each.type for each in kept})),
        health_check=health_check,
        health_version=found.health_version + (health_check != found.health_check),
        operation=operation,
    )
    SERVICES.save(tx, changed)
    SERVICE_RECONCILER.request(tx, ctx.account, ctx.region, found.name)
    return {"OperationId": operation}


@service.operation("DeleteService")
async def delete_service(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["Id"])
    if await storing.count_instances(tx, found.name):
        raise errors.ResourceInUse("The service contains registered instances; deregister them before you delete it.")
    tags.save(tx, found.arn, {})
    tx.delete(storing.SERVICE_NAMES.key(ctx.account, ctx.region, found.namespace, found.title.lower()))
    SERVICES.remove(tx, found)
    return {}


@service.operation("GetServiceAttributes")
async def get_service_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    shown = {"ServiceArn": found.arn, "ResourceOwner": found.account, "Attributes": found.attributes}
    return {"ServiceAttributes": shown}


@service.operation("UpdateServiceAttributes")
async def update_service_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    both = {**found.attributes, **params["Attributes"]}
    if len(both) > limits.MAX_ATTRIBUTES:
        raise AwsError(
            "ServiceAttributesLimitExceededException", f"A service has at most {limits.MAX_ATTRIBUTES} attributes."
        )
    SERVICES.save(tx, replace(found, attributes=both))
    return {}


@service.operation("DeleteServiceAttributes")
async def delete_service_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_service(ctx, tx, params["ServiceId"])
    gone = set(params["Attributes"])
    SERVICES.save(
        tx, replace(found, attributes={key: each for key, each in found.attributes.items() if key not in gone})
    )
    return {}
