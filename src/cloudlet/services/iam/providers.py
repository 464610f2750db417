"""Identity providers: how they are found, by their ARNs."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Arn, Context, Params, Subspace, Transaction
from cloudlet.services.iam import errors
from cloudlet.services.iam.entities import Kind
from cloudlet.services.iam.provider_record import OidcProvider, SamlProvider

SAML_PROVIDERS: Final = Kind(
    SamlProvider,
    "Name",
    "ASSPR",
    100,
    "SAMLProvidersPerAccount",
    True,
    taken="SAMLProvider with name {name} already exists.",
)
OIDC_PROVIDERS: Final = Kind(
    OidcProvider,
    "Url",
    "AOIP",
    100,
    "OpenIdConnectProvidersPerAccount",
    True,
    taken="Provider with url https://{name} already exists.",
)
_DOCUMENTS: Final = Subspace("saml-document")


async def find_oidc(tx: Transaction, account: str, arn: str) -> OidcProvider | None:
    """Return the OpenID Connect provider with an ARN, or None. Raises AwsError for other ARNs."""
    found = await OIDC_PROVIDERS.find(tx, account, _read_name(arn, OidcProvider.kind))
    return found if found is not None and found.arn == arn else None


async def get_oidc(ctx: Context, tx: Transaction, params: Params) -> OidcProvider:
    """Return the OpenID Connect provider that a request names. Raises AwsError where there is none."""
    arn = params["OpenIDConnectProviderArn"]
    found = await find_oidc(tx, ctx.account, arn)
    if found is None:
        raise errors.no_such_entity(f"OpenIDConnect Provider not found for arn {arn}")
    return found


async def get_saml(ctx: Context, tx: Transaction, params: Params) -> SamlProvider:
    """Return the SAML provider that a request names. Raises AwsError where there is none."""
    arn = params["SAMLProviderArn"]
    found = await SAML_PROVIDERS.find(tx, ctx.account, _read_name(arn, SamlProvider.kind))
    if found is None or found.arn != arn:
        raise errors.no_such_entity(f"Manifest not found for arn {arn}")
    return found


async def read_document(tx: Transaction, provider: SamlProvider) -> str:
    """Return the metadata document of a provider."""
    return (await tx.get(_DOCUMENTS.key(provider.account, provider.key)) or b"").decode()


def save_document(tx: Transaction, provider: SamlProvider, document: str) -> None:
    """Write the metadata document of a provider."""
    tx.put(_DOCUMENTS.key(provider.account, provider.key), document.encode())


def remove_saml(tx: Transaction, provider: SamlProvider) -> None:
    """Delete a provider with its document."""
    tx.delete(_DOCUMENTS.key(provider.account, provider.key))
    SAML_PROVIDERS.remove(tx, provider)


def _read_name(arn: str, kind: str) -> str:
    """Return the name in the ARN of a provider. Raises AwsError for other ARNs."""
    try:
        parts = Arn.parse(arn)
    except ValueError:
        raise errors.invalid_input(f"ARN {arn} is not valid.") from None
    found, _, name = parts.resource.partition("/")
    if (parts.service, found) != ("iam", kind) or not name:
        raise errors.invalid_input(f"ARN {arn} is not valid.")
    return name
