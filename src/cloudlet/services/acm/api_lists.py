"""The operations that list certificates and search them."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.acm import certificate, describing, events, lists, searching
from cloudlet.services.acm.block import service
from cloudlet.services.acm.certificate_record import Certificate
from cloudlet.services.acm.errors import ValidationError

_DEFAULT_KEY_TYPES = ("RSA_1024", "RSA_2048")
_DEFAULT_ORIGINS = ("AWS_MANAGED", "CUSTOMER_PROVIDED")
_MAX_ITEMS = 1000
_MAX_RESULTS = 100


@service.operation("ListCertificates")
async def list_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    order = params.get("SortOrder")
    if bool(params.get("SortBy")) != bool(order):
        raise ValidationError("SortBy and SortOrder must be specified together.")
    found = [each for each in await certificate.list_all(tx, ctx.account, ctx.region) if _is_included(each, params)]
    page, following = lists.list_page(
        found,
        lambda each: each.created,
        params.get("MaxItems", _MAX_ITEMS),
        params.get("NextToken"),
        is_descending=order == "DESCENDING",
    )
    return {"CertificateSummaryList": [describing.summarize(each) for each in page], "NextToken": following}


def _is_included(known: Certificate, params: Params) -> bool:
    """Whether a certificate passes all filters of a list."""
    includes = params.get("Includes") or {}
    summary = describing.summarize(known)
    types = includes.get("keyTypes")
    if types is None and not known.domains:
        return False
    return (
        known.key_algorithm in (_DEFAULT_KEY_TYPES if types is None else types)
        and (not params.get("CertificateStatuses") or known.status in params["CertificateStatuses"])
        and events.get_key_pair_origin(known) in (params.get("CertificateKeyPairOrigins") or _DEFAULT_ORIGINS)
        # None of these is of Amazon's second hierarchy, or managed by CloudFront.
        and not params.get("RootHierarchyTypes")
        and not includes.get("managedBy")
        and includes.get("exportOption") in (None, describing.describe_export(known))
        and _has_one_of(summary["KeyUsages"], includes.get("keyUsage"))
        and _has_one_of(summary["ExtendedKeyUsages"], includes.get("extendedKeyUsage"))
    )


def _has_one_of(usages: list[str], wanted: list[str] | None) -> bool:
    return not wanted or any(usage in wanted for usage in usages)


@service.operation("SearchCertificates")
async def search_certificates(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = searching.select(await certificate.list_all(tx, ctx.account, ctx.region), params.get("FilterStatement"))
    page, following = lists.list_page(
        found,
        searching.get_sort_value(params.get("SortBy") or "CREATED_AT"),
        params.get("MaxResults", _MAX_RESULTS),
        params.get("NextToken"),
        is_descending=params.get("SortOrder") == "DESCENDING",
    )
    return {"Results": [describing.describe_found(each) for each in page], "NextToken": following}


@service.operation("ListCertificateDomainValidations")
async def list_certificate_domain_validations(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await certificate.get(ctx, tx, params["CertificateArn"])
    names = [] if found.is_imported else describing.describe_validations(found)
    after = page_tokens.parse_name_token(
        params.get("NextToken"), AwsError("InvalidArgsException", "Invalid NextToken.")
    )
    begin = next((at + 1 for at, each in enumerate(names) if each["DomainName"] == after), 0)
    page = names[begin : begin + params.get("MaxItems", _MAX_ITEMS)]
    has_more = begin + len(page) < len(names)
    following = page_tokens.make_page_token(page[-1]["DomainName"].encode()) if has_more else None
    return {"DomainValidationSummaryList": page, "NextToken": following}
