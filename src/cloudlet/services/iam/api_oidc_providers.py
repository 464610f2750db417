"""The operations on OpenID Connect providers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.urls import split_url
from cloudlet.services.iam import errors, providers, tag_declarations
from cloudlet.services.iam.api_saml_providers import refuse_members
from cloudlet.services.iam.block import service
from cloudlet.services.iam.providers import OIDC_PROVIDERS

_MAX_CLIENT_IDS: Final = 100
_MAX_THUMBPRINTS: Final = 5
_SCHEME: Final = "https://"


@service.operation("CreateOpenIDConnectProvider")
async def create_open_id_connect_provider(ctx: Context, tx: Transaction, params: Params) -> Result:
    refuse_members(params)
    provider = OIDC_PROVIDERS.make(
        ctx,
        {**params, "Url": _read_url(params["Url"])},
        client_ids=_read_client_ids(params.get("ClientIDList") or ()),
        thumbprints=_read_thumbprints(params.get("ThumbprintList") or ()),
    )
    await OIDC_PROVIDERS.add(tx, provider)
    return {"OpenIDConnectProviderArn": provider.arn, "Tags": tags.to_list(provider.tags) or None}


@service.operation("GetOpenIDConnectProvider")
async def get_open_id_connect_provider(ctx: Context, tx: Transaction, params: Params) -> Result:
    provider = await providers.get_oidc(ctx, tx, params)
    return {
        "Url": provider.name,
        "ClientIDList": provider.client_ids,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": provider.created,
        "Tags": tags.to_list(provider.tags) or None,
    }


@service.operation("ListOpenIDConnectProviders")
async def list_open_id_connect_providers(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"OpenIDConnectProviderList": [{"Arn": each.arn} for each in await OIDC_PROVIDERS.list_all(tx, ctx.account)]}


@service.operation("AddClientIDToOpenIDConnectProvider")
async def add_client_id(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Add a client id; one that is there already is no error."""
    provider = await providers.get_oidc(ctx, tx, params)
    client_ids = _read_client_ids((*provider.client_ids, params["ClientID"]))
    OIDC_PROVIDERS.save(tx, replace(provider, client_ids=client_ids))
    return {}


@service.operation("RemoveClientIDFromOpenIDConnectProvider")
async def remove_client_id(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Remove a client id; one that is not there is no error."""
    provider = await providers.get_oidc(ctx, tx, params)
    client_ids = tuple(each for each in provider.client_ids if each != params["ClientID"])
    OIDC_PROVIDERS.save(tx, replace(provider, client_ids=client_ids))
    return {}


@service.operation("UpdateOpenIDConnectProviderThumbprint")
async def update_thumbprint(ctx: Context, tx: Transaction, params: Params) -> Result:
    provider = await providers.get_oidc(ctx, tx, params)
    OIDC_PROVIDERS.save(tx, replace(provider, thumbprints=_read_thumbprints(params["ThumbprintList"])))
    return {}


@service.operation("DeleteOpenIDConnectProvider")
async def delete_open_id_connect_provider(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Delete a provider; one that is not there is no error."""
    provider = await providers.find_oidc(tx, ctx.account, params["OpenIDConnectProviderArn"])
    if provider is not None:
        OIDC_PROVIDERS.remove(tx, provider)
    return {}


tag_declarations.declare("OpenIDConnectProvider", OIDC_PROVIDERS, providers.get_oidc)


def _read_url(url: str) -> str:
    """Return the URL of a provider without its scheme. Raises AwsError for one that no provider has."""
    parts = split_url(url)
    if not url.startswith(_SCHEME) or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise errors.validation("Invalid Open ID Connect Provider URL")
    return url.removeprefix(_SCHEME)


def _read_client_ids(given: Sequence[str]) -> tuple[str, ...]:
    """Return client ids, each once. Raises AwsError where they are too many."""
    client_ids = tuple(dict.fromkeys(given))
    if len(client_ids) > _MAX_CLIENT_IDS:
        raise errors.make_quota_error("ClientIdsPerOpenIdConnectProvider", _MAX_CLIENT_IDS)
    return client_ids


def _read_thumbprints(given: Sequence[str]) -> tuple[str, ...]:
    """Return thumbprints. Raises AwsError where they are too many."""
    if len(given) > _MAX_THUMBPRINTS:
        raise errors.invalid_input(f"Thumbprint list must contain fewer than {_MAX_THUMBPRINTS} entries.")
    return tuple(given)
