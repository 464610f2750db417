"""The operations on custom domain names and API mappings."""

from __future__ import annotations

import re
from typing import Any

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel import ids
from cloudlet.services.apigateway import documents, domain_certificates, domains, errors, listing, merging, tagging
from cloudlet.services.apigateway.api_v2_stages import get_stage_of
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, fresh_id
from cloudlet.services.apigateway.rest import store

_NAME = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_KEY = re.compile(r"[A-Za-z0-9._$/-]{0,300}")
_ZONE = "Z1UJRXOUMOOFQ8"
"""The id of API Gateway's hosted zone, for alias records."""
_TAKEN = "The domain name you provided already exists."


async def _shown(ctx: Context, tx: Transaction, domain: Document) -> dict[str, Any]:
    path = f"domainnames/{domain['DomainName']}"
    return {
        **domain,
        "DomainNameArn": tagging.arn(ctx.region, path),
        "Tags": await tags.load(tx, tagging.key(ctx, path)),
    }


def _configured(ctx: Context, params: Params, known: Document | None) -> list[dict[str, Any]]:
    """Return the configurations of a domain as they are kept. Raises AwsError."""
    given = params.get("DomainNameConfigurations")
    if not given:
        raise errors.bad_request("Exactly one domain name configuration is required")
    if len(given) != 1:
        raise errors.bad_request("Only one domain name configuration is supported")
    configuration = {key: value for key, value in given[0].items() if value is not None}
    if configuration.setdefault("EndpointType", "REGIONAL") != "REGIONAL":
        raise errors.bad_request("Only the endpoint type REGIONAL is supported")
    if "CertificateArn" not in configuration:
        raise errors.bad_request("Certificate ARN is required for the domain name configuration")
    if configuration.setdefault("IpAddressType", "ipv4") != "ipv4":
        raise errors.not_built("domain names of the IP address type dualstack")
    if "OwnershipVerificationCertificateArn" in configuration:
        raise errors.not_built("mutual TLS of domain names")
    before = known["DomainNameConfigurations"][0]["ApiGatewayDomainName"] if known else None
    target = f"d-{ids.token(10, 'abcdefghijklmnopqrstuvwxyz0123456789')}.execute-api.{ctx.region}.amazonaws.com"
    configuration |= {
        "ApiGatewayDomainName": before or target,
        "HostedZoneId": _ZONE,
        "DomainNameStatus": "AVAILABLE",
        "SecurityPolicy": configuration.get("SecurityPolicy", "TLS_1_2"),
    }
    return [configuration]


def _check_built(params: Params) -> None:
    if params.get("MutualTlsAuthentication"):
        raise errors.not_built("mutual TLS of domain names")
    if params.get("RoutingMode", "API_MAPPING_ONLY") != "API_MAPPING_ONLY":
        raise errors.not_built("routing rules of domain names")


@service.direct("apigatewayv2:CreateDomainName")
async def create_domain_name(ctx: Context, params: Params) -> FinalTransaction:
    name = params["DomainName"].lower()
    _check_built(params)
    if not _NAME.fullmatch(name):
        raise errors.bad_request("Invalid domain name specified")
    configurations = _configured(ctx, params, None)
    await domain_certificates.check(ctx, name, configurations[0]["CertificateArn"])
    domain = {
        "DomainName": name,
        "DomainNameConfigurations": configurations,
        "ApiMappingSelectionExpression": "$request.basepath",
        "RoutingMode": "API_MAPPING_ONLY",
    }

    async def body(tx: Transaction) -> Result:
        space = domains.of_account(ctx.account, ctx.region)
        if len(await tx.range(space.begin, space.end, limit=domains.MOST_DOMAINS)) == domains.MOST_DOMAINS:
            raise errors.too_many("Maximum number of domain names for this account has been reached.")
        if await domains.is_taken(tx, name):
            raise errors.bad_request(_TAKEN)
        domains.save(ctx, tx, domain)
        tags.save(tx, tagging.key(ctx, f"domainnames/{name}"), tagging.checked(params.get("Tags")))
        return await _shown(ctx, tx, domain)

    return FinalTransaction(body)


@service.operation("apigatewayv2:GetDomainName")
async def get_domain_name(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _shown(ctx, tx, await domains.get(ctx, tx, params["DomainName"]))


@service.operation("apigatewayv2:GetDomainNames")
async def get_domain_names(ctx: Context, tx: Transaction, params: Params) -> Result:
    result = await listing.page(tx, domains.of_account(ctx.account, ctx.region), params)
    return {**result, "Items": [await _shown(ctx, tx, domain) for domain in result["Items"]]}


@service.direct("apigatewayv2:UpdateDomainName")
async def update_domain_name(ctx: Context, params: Params) -> FinalTransaction:
    known = await ctx.transact(lambda tx: domains.get(ctx, tx, params["DomainName"]))
    _check_built(params)
    if "DomainNameConfigurations" in params:
        (configuration,) = _configured(ctx, params, known)
        await domain_certificates.check(ctx, known["DomainName"], configuration["CertificateArn"])

    async def body(tx: Transaction) -> Result:
        domain = await domains.get(ctx, tx, params["DomainName"])
        if "DomainNameConfigurations" in params:
            domain["DomainNameConfigurations"] = _configured(ctx, params, domain)
        domains.save(ctx, tx, domain)
        return await _shown(ctx, tx, domain)

    return FinalTransaction(body)


@service.operation("apigatewayv2:DeleteDomainName")
async def delete_domain_name(ctx: Context, tx: Transaction, params: Params) -> Result:
    domain = await domains.get(ctx, tx, params["DomainName"])
    domains.remove(ctx, tx, domain["DomainName"])
    tags.save(tx, tagging.key(ctx, f"domainnames/{domain['DomainName']}"), {})
    return {}


async def _check_target(ctx: Context, tx: Transaction, mapping: Document, key: str) -> None:
    """Raise AwsError where the API, of whichever type, or the stage that a mapping leads to is not there."""
    if await store.find_api(tx, ctx.account, ctx.region, mapping["ApiId"]) is not None:
        await store.get_part(tx, mapping["ApiId"], "Stage", mapping["Stage"])
        return
    api = await documents.get_api(ctx, tx, mapping["ApiId"])
    if api["ProtocolType"] == "WEBSOCKET" and "/" in key:
        raise errors.bad_request("API mapping keys of several segments are not supported for WebSocket APIs")
    await get_stage_of(tx, api, mapping["Stage"])


async def _checked(ctx: Context, tx: Transaction, domain: Document, mapping: Document) -> Document:
    key = mapping.get("ApiMappingKey", "")
    if not _KEY.fullmatch(key) or key.startswith("/") or key.endswith("/") or "//" in key:
        raise errors.bad_request("API mapping key is invalid: it may not begin or end with a slash")
    await _check_target(ctx, tx, mapping, key)
    known = await domains.mappings(tx, domain["DomainName"])
    if len(known) == domains.MOST_MAPPINGS:
        raise errors.too_many("Maximum number of API mappings for this domain name has been reached.")
    for other in known:
        if other["ApiMappingId"] != mapping["ApiMappingId"] and other.get("ApiMappingKey", "") == key:
            raise errors.conflict("ApiMapping key already exists for this domain name")
    return mapping


@service.operation("apigatewayv2:CreateApiMapping")
async def create_api_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    domain = await domains.get(ctx, tx, params["DomainName"])
    given = merging.given(params, ("ApiId", "Stage", "ApiMappingKey"))
    mapping = await _checked(ctx, tx, domain, given | {"ApiMappingId": fresh_id(6)})
    domains.save_mapping(tx, domain["DomainName"], mapping)
    return mapping


@service.operation("apigatewayv2:GetApiMapping")
async def get_api_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    domain = await domains.get(ctx, tx, params["DomainName"])
    return await domains.get_mapping(tx, domain["DomainName"], params["ApiMappingId"])


@service.operation("apigatewayv2:GetApiMappings")
async def get_api_mappings(ctx: Context, tx: Transaction, params: Params) -> Result:
    domain = await domains.get(ctx, tx, params["DomainName"])
    return await listing.page(tx, domains.mappings_of(domain["DomainName"]), params)


@service.operation("apigatewayv2:UpdateApiMapping")
async def update_api_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    domain = await domains.get(ctx, tx, params["DomainName"])
    known = await domains.get_mapping(tx, domain["DomainName"], params["ApiMappingId"])
    mapping = await _checked(ctx, tx, domain, merging.merged(known, params, ("ApiId", "Stage", "ApiMappingKey")))
    domains.save_mapping(tx, domain["DomainName"], mapping)
    return mapping


@service.operation("apigatewayv2:DeleteApiMapping")
async def delete_api_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    domain = await domains.get(ctx, tx, params["DomainName"])
    mapping = await domains.get_mapping(tx, domain["DomainName"], params["ApiMappingId"])
    domains.remove_mapping(tx, domain["DomainName"], mapping["ApiMappingId"])
    return {}
