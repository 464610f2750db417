"""The operations on SAML providers."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.background.workers import LARGE, offload_if
from cloudlet.services.iam import providers, saml_metadata, tag_declarations
from cloudlet.services.iam.block import service
from cloudlet.services.iam.provider_record import SamlProvider
from cloudlet.services.iam.providers import SAML_PROVIDERS

_REFUSED = (
    "AddPrivateKey",
    "AssertionEncryptionMode",
    "ContextProvider",
    "IdentityCenterInstanceArn",
    "RemoveContextProvider",
    "RemoveIdentityCenterInstance",
    "RemovePrivateKey",
)
"""Members about encrypted assertions, and about IAM Identity Center."""


@service.direct("CreateSAMLProvider")
async def create_saml_provider(ctx: Context, params: Params) -> Result:
    refuse_members(params)
    document = params["SAMLMetadataDocument"]
    valid_until = await _check(ctx, document)

    async def create(tx: Transaction) -> Result:
        provider = SAML_PROVIDERS.make(ctx, params, valid_until=valid_until)
        await SAML_PROVIDERS.add(tx, provider)
        providers.save_document(tx, provider, document)
        return {"SAMLProviderArn": provider.arn, "Tags": tags.to_list(provider.tags) or None}

    return await ctx.transact(create)


@service.direct("UpdateSAMLProvider")
async def update_saml_provider(ctx: Context, params: Params) -> Result:
    refuse_members(params)
    document = params.get("SAMLMetadataDocument")
    valid_until = None if document is None else await _check(ctx, document)

    async def update(tx: Transaction) -> Result:
        provider = await providers.get_saml(ctx, tx, params)
        if document is not None and valid_until is not None:
            SAML_PROVIDERS.save(tx, replace(provider, valid_until=valid_until))
            providers.save_document(tx, provider, document)
        return {"SAMLProviderArn": provider.arn}

    return await ctx.transact(update)


@service.operation("GetSAMLProvider")
async def get_saml_provider(ctx: Context, tx: Transaction, params: Params) -> Result:
    provider = await providers.get_saml(ctx, tx, params)
    return {
        "SAMLProviderUUID": provider.id,
        "SAMLMetadataDocument": await providers.read_document(tx, provider),
        "CreateDate": provider.created,
        "ValidUntil": provider.valid_until,
        "Tags": tags.to_list(provider.tags) or None,
    }


@service.operation("ListSAMLProviders")
async def list_saml_providers(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"SAMLProviderList": [_show(each) for each in await SAML_PROVIDERS.list_all(tx, ctx.account)]}


@service.operation("DeleteSAMLProvider")
async def delete_saml_provider(ctx: Context, tx: Transaction, params: Params) -> Result:
    providers.remove_saml(tx, await providers.get_saml(ctx, tx, params))
    return {}


tag_declarations.declare("SAMLProvider", SAML_PROVIDERS, providers.get_saml)


async def _check(ctx: Context, document: str) -> float:
    """Return until when a metadata document is valid. Raises AwsError."""
    return await offload_if(len(document) > LARGE, ctx.account, saml_metadata.check, document, ctx.now())


def refuse_members(params: Params) -> None:
    """Raise AwsError for what a provider cannot have here."""
    for member in _REFUSED:
        if member in params:
            message = f"Cloudlet does not implement {member}. See docs/services/iam.md."
            raise AwsError("NotImplemented", message, status=501)


def _show(provider: SamlProvider) -> dict[str, Any]:
    return {"Arn": provider.arn, "ValidUntil": provider.valid_until, "CreateDate": provider.created}
