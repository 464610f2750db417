"""The operations of the first version on custom domain names and base path mappings."""

from __future__ import annotations

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import domain_certificates, domains, errors, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, fresh_id
from cloudlet.services.apigateway.rest import domain_names, listing, patches, store


def _check(params: Params) -> None:
    if params.get("domainNameId"):
        raise errors.not_built("private custom domain names")


@service.direct("CreateDomainName")
async def create_domain_name(ctx: Context, params: Params) -> FinalTransaction:
    domain = domain_names.created(ctx, params)
    await _check_certificate(ctx, domain)

    async def body(tx: Transaction) -> Result:
        space = domains.of_account(ctx.account, ctx.region)
        await store.check_quota(tx, space, domains.MOST_DOMAINS, "domain names")
        if await domains.is_taken(tx, domain["DomainName"]):
            raise errors.bad_request("The domain name you provided already exists.")
        domains.save(ctx, tx, domain)
        key = tagging.key(ctx, f"domainnames/{domain['DomainName']}")
        tags.save(tx, key, tagging.checked(params.get("tags")))
        return await domain_names.shown(ctx, tx, domain)

    return FinalTransaction(body)


async def _check_certificate(ctx: Context, domain: Document) -> None:
    """Raise AwsError unless a domain may have its certificate."""
    configuration = domain["DomainNameConfigurations"][0]
    is_edge = configuration["EndpointType"] == "EDGE"
    await domain_certificates.check(ctx, domain["DomainName"], configuration["CertificateArn"], is_edge=is_edge)


@service.operation("GetDomainName")
async def get_domain_name(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    return await domain_names.shown(ctx, tx, await domains.get(ctx, tx, params["domainName"]))


@service.operation("GetDomainNames")
async def get_domain_names(ctx: Context, tx: Transaction, params: Params) -> Result:
    page = await listing.page(tx, domains.of_account(ctx.account, ctx.region), params)
    return {**page, "items": [await domain_names.shown(ctx, tx, domain) for domain in page["items"]]}


@service.direct("UpdateDomainName")
async def update_domain_name(ctx: Context, params: Params) -> FinalTransaction:
    _check(params)

    async def patch(tx: Transaction) -> tuple[Document, Document]:
        known = await domains.get(ctx, tx, params["domainName"])
        return known, patches.patched(known, params.get("patchOperations"), domain_names.PATHS)

    known, wanted = await ctx.transact(patch)
    if domain_names.get_certificate(wanted) != domain_names.get_certificate(known):
        await _check_certificate(ctx, wanted)

    async def body(tx: Transaction) -> Result:
        _, domain = await patch(tx)
        domains.save(ctx, tx, domain)
        return await domain_names.shown(ctx, tx, domain)

    return FinalTransaction(body)


@service.operation("DeleteDomainName")
async def delete_domain_name(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    domain = await domains.get(ctx, tx, params["domainName"])
    domains.remove(ctx, tx, domain["DomainName"])
    tags.save(tx, tagging.key(ctx, f"domainnames/{domain['DomainName']}"), {})
    return {}


# -- base path mappings


async def _checked(ctx: Context, tx: Transaction, domain: str, mapping: Document) -> Document:
    """Return a mapping as it is kept. Raises AwsError."""
    key = mapping.get("ApiMappingKey") or ""
    mapping["ApiMappingKey"] = "" if key == domain_names.NONE else key
    if mapping["ApiMappingKey"] and not domain_names.BASE_PATH.fullmatch(mapping["ApiMappingKey"]):
        raise errors.bad_request("Invalid base path specified: it has the characters A-Z, a-z, 0-9 and -._$")
    await store.get_api(ctx, tx, mapping["ApiId"])
    if mapping.setdefault("Stage", ""):
        await store.get_part(tx, mapping["ApiId"], "Stage", mapping["Stage"])
    others = await domains.mappings(tx, domain)
    for other in others:
        same = other.get("ApiMappingKey", "") == mapping["ApiMappingKey"]
        if same and other["ApiMappingId"] != mapping["ApiMappingId"]:
            raise errors.conflict("Base path already exists for this domain name")
    if len(others) >= domains.MOST_MAPPINGS:
        raise errors.limit_exceeded("Maximum number of base path mappings for this domain has been reached.")
    return mapping


@service.operation("CreateBasePathMapping")
async def create_base_path_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    domain = (await domains.get(ctx, tx, params["domainName"]))["DomainName"]
    given = {
        "ApiMappingId": fresh_id(6),
        "ApiId": params["restApiId"],
        "ApiMappingKey": params.get("basePath") or "",
        "Stage": params.get("stage") or "",
    }
    mapping = await _checked(ctx, tx, domain, given)
    domains.save_mapping(tx, domain, mapping)
    return domain_names.shown_mapping(mapping)


@service.operation("GetBasePathMapping")
async def get_base_path_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    domain = (await domains.get(ctx, tx, params["domainName"]))["DomainName"]
    return domain_names.shown_mapping(await domain_names.mapping_of(tx, domain, params["basePath"]))


@service.operation("GetBasePathMappings")
async def get_base_path_mappings(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    domain = (await domains.get(ctx, tx, params["domainName"]))["DomainName"]
    return await listing.page(tx, domains.mappings_of(domain), params, domain_names.shown_mapping)


@service.operation("UpdateBasePathMapping")
async def update_base_path_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    domain = (await domains.get(ctx, tx, params["domainName"]))["DomainName"]
    known = await domain_names.mapping_of(tx, domain, params["basePath"])
    shown = domain_names.shown_mapping(known)
    patched = patches.patched(shown, params.get("patchOperations"), domain_names.MAPPING_PATHS)
    changed = {
        **known,
        "ApiMappingKey": patched["basePath"],
        "ApiId": patched.get("restapiId") or patched["restApiId"],
        "Stage": patched.get("stage") or "",
    }
    mapping = await _checked(ctx, tx, domain, changed)
    domains.save_mapping(tx, domain, mapping)
    return domain_names.shown_mapping(mapping)


@service.operation("DeleteBasePathMapping")
async def delete_base_path_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    domain = (await domains.get(ctx, tx, params["domainName"]))["DomainName"]
    mapping = await domain_names.mapping_of(tx, domain, params["basePath"])
    domains.remove_mapping(tx, domain, mapping["ApiMappingId"])
    return {}
