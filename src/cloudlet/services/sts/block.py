"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service(
    "sts",
    # Who holds a token of an identity provider has no keys yet.
    admits_anonymous=("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"),
    decides=("AssumeRole", "GetFederationToken"),
    hidden=("SecretAccessKey", "SessionToken", "WebIdentityToken", "SAMLAssertion", "TokenCode"),
)
