"""Records of identity providers."""

from __future__ import annotations

from cloudlet.services.iam.entity_record import Entity


class SamlProvider(Entity, frozen=True, kw_only=True):
    """A SAML provider. Its metadata document is kept by itself."""

    kind = "saml-provider"
    valid_until: float


class OidcProvider(Entity, frozen=True, kw_only=True):
    """An OpenID Connect provider; its name is its URL without the scheme."""

    kind = "oidc-provider"
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
