"""The operations on namespaces."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.core.kernel.ids import token
from cloudlet.services.servicediscovery import errors, filters, limits, storing
from cloudlet.services.servicediscovery.block import service
from cloudlet.services.servicediscovery.errors import InvalidInput
from cloudlet.services.servicediscovery.map_record import (
    DEFAULT_SOA_TTL_SECONDS,
    DNS_PRIVATE,
    DNS_PUBLIC,
    HTTP,
    Namespace,
)
from cloudlet.services.servicediscovery.reconciling import NAMESPACE_RECONCILER
from cloudlet.services.servicediscovery.states import DELETING, UPDATING, VISIBLE, check_state
from cloudlet.services.servicediscovery.storing import NAMESPACES, get_namespace


async def _create(ctx: Context, tx: Transaction, params: Params, kind: str) -> dict[str, Any]:
    title, creator = params["Name"], params.get("CreatorRequestId") or ""
    request = storing.REQUESTS.key(ctx.account, ctx.region, "namespace", creator)
    if creator and (known := await tx.get(request)) is not None:
        return {"OperationId": known.decode()}
    space = storing.NAMESPACES.get_space(ctx.account, ctx.region)
    rows = await tx.range(space.begin, space.end, limit=limits.MAX_NAMESPACES)
    if len(rows) == limits.MAX_NAMESPACES:
        raise errors.QuotaExcess(f"An account has at most {limits.MAX_NAMESPACES} namespaces in a Region.")
    there = [NAMESPACES.decode(raw) for _, raw in rows]
    _check_name(title, kind, params.get("Vpc") or "", there)
    http_name = title
    if any(each.http_name == title for each in there):
        http_name = f"{title}-{token(8, 'abcdefghijklmnopqrstuvwxyz234567')}"
    dns = (params.get("Properties") or {}).get("DnsProperties") or {}
    soa = (dns.get("SOA") or {}).get("TTL")
    made = Namespace(
        ctx.account,
        ctx.region,
        storing.make_id("ns"),
        title,
        http_name,
        kind,
        ctx.now(),
        creator,
        params.get("Description") or "",
        params.get("Vpc") or "",
        DEFAULT_SOA_TTL_SECONDS if soa is None else soa,
    )
    operation = storing.begin_operation(ctx, tx, "CREATE_NAMESPACE", made.name, NAMESPACE=made.name)
    NAMESPACES.save(tx, replace(made, operation=operation))
    tx.put(storing.NAMESPACE_NAMES.key(ctx.account, ctx.region, http_name), made.name.encode())
    if creator:
        tx.put(request, operation.encode())
    tags.save(tx, made.arn, tags.merge({}, params.get("Tags"), InvalidInput, errors.TooManyTags))
    NAMESPACE_RECONCILER.request(tx, ctx.account, ctx.region, made.name)
    return {"OperationId": operation}


def _check_name(title: str, kind: str, vpc: str, there: list[Namespace]) -> None:
    """Raise NamespaceAlreadyExists for a name that another namespace of the kind has."""
    for each in there:
        is_same = each.title == title and each.type == kind
        if is_same and kind != DNS_PUBLIC and (kind == HTTP or each.vpc == vpc):
            raise AwsError(
                "NamespaceAlreadyExists",
                f"The namespace {title} already exists.",
                NamespaceId=each.name,
                CreatorRequestId=each.creator,
            )


@service.operation("CreateHttpNamespace")
async def create_http_namespace(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _create(ctx, tx, params, HTTP)


@service.operation("CreatePrivateDnsNamespace")
async def create_private_dns_namespace(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _create(ctx, tx, params, DNS_PRIVATE)


@service.operation("CreatePublicDnsNamespace")
async def create_public_dns_namespace(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _create(ctx, tx, params, DNS_PUBLIC)


def _describe(found: Namespace, services: int | None) -> dict[str, Any]:
    """Return a namespace as the API has it; in lists without its number of services."""
    properties: dict[str, Any] = {"HttpProperties": {"HttpName": found.http_name}, "DnsProperties": {"SOA": {}}}
    if found.type != HTTP:
        properties["DnsProperties"] = {"HostedZoneId": found.zone, "SOA": {"TTL": found.soa_ttl}}
    shown: dict[str, Any] = {
        "Id": found.name,
        "Arn": found.arn,
        "ResourceOwner": found.account,
        "Name": found.title,
        "Type": found.type,
        "Properties": properties,
        "CreateDate": found.created,
    }
    if found.description:
        shown["Description"] = found.description
    if services is None:
        return shown
    shown["ServiceCount"] = services
    return {**shown, "CreatorRequestId": found.creator} if found.creator else shown


@service.operation("GetNamespace")
async def get_namespace_operation(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_namespace(ctx, tx, params["Id"])
    space = storing.SERVICE_NAMES.sub(ctx.account, ctx.region, found.name)
    services = await tx.range(space.begin, space.end, limit=10_000)
    return {"Namespace": _describe(found, len(services))}


@service.operation("ListNamespaces")
async def list_namespaces(ctx: Context, tx: Transaction, params: Params) -> Result:
    matches = filters.make_filter(params.get("Filters"))

    def select(raw: bytes) -> dict[str, Any] | None:
        found = NAMESPACES.decode(raw)
        known = {"TYPE": found.type, "NAME": found.title, "HTTP_NAME": found.http_name}
        return _describe(found, None) if found.state in VISIBLE and matches(known) else None

    space = NAMESPACES.get_space(ctx.account, ctx.region)
    limit, wrong = params.get("MaxResults") or limits.PAGE, InvalidInput("Invalid NextToken.")
    shown, token_after = await listing.list_page(tx, space, params.get("NextToken"), limit, select, wrong)
    return {"Namespaces": shown, "NextToken": token_after}


async def _update(ctx: Context, tx: Transaction, params: Params, kind: str) -> dict[str, Any]:
    found, wanted = await get_namespace(ctx, tx, params["Id"]), params["Namespace"]
    if found.type != kind:
        raise InvalidInput(f"The namespace {found.name} is one of type {found.type}.")
    updater = params.get("UpdaterRequestId") or ""
    request = storing.REQUESTS.key(ctx.account, ctx.region, f"update of {found.name}", updater)
    if updater and (known := await tx.get(request)) is not None:
        return {"OperationId": known.decode()}
    if found.operation:
        raise errors.DuplicateRequest(found.operation)
    dns = (wanted.get("Properties") or {}).get("DnsProperties") or {}
    ttl = (dns.get("SOA") or {}).get("TTL")
    operation = storing.begin_operation(ctx, tx, "UPDATE_NAMESPACE", found.name, NAMESPACE=found.name)
    changed = replace(
        found,
        description=found.description if wanted.get("Description") is None else wanted["Description"],
        soa_ttl=found.soa_ttl if ttl is None else ttl,
        state=check_state(found.state, UPDATING),
        operation=operation,
    )
    NAMESPACES.save(tx, changed)
    if updater:
        tx.put(request, operation.encode())
    NAMESPACE_RECONCILER.request(tx, ctx.account, ctx.region, found.name)
    return {"OperationId": operation}


@service.operation("UpdateHttpNamespace")
async def update_http_namespace(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _update(ctx, tx, params, HTTP)


@service.operation("UpdatePrivateDnsNamespace")
async def update_private_dns_namespace(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _update(ctx, tx, params, DNS_PRIVATE)


@service.operation("UpdatePublicDnsNamespace")
async def update_public_dns_namespace(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _update(ctx, tx, params, DNS_PUBLIC)


@service.operation("DeleteNamespace")
async def delete_namespace(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_namespace(ctx, tx, params["Id"])
    if found.operation:
        raise errors.DuplicateRequest(found.operation)
    space = storing.SERVICE_NAMES.sub(ctx.account, ctx.region, found.name)
    if await tx.range(space.begin, space.end, limit=1):
        raise errors.ResourceInUse("The namespace has associated services: delete them first.")
    operation = storing.begin_operation(ctx, tx, "DELETE_NAMESPACE", found.name, NAMESPACE=found.name)
    NAMESPACES.save(tx, replace(found, state=check_state(found.state, DELETING), operation=operation))
    if found.creator:
        tx.delete(storing.REQUESTS.key(ctx.account, ctx.region, "namespace", found.creator))
    updates = storing.REQUESTS.sub(ctx.account, ctx.region, f"update of {found.name}")
    tx.delete_range(updates.begin, updates.end)
    NAMESPACE_RECONCILER.request(tx, ctx.account, ctx.region, found.name)
    return {"OperationId": operation}
