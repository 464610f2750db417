"""Counts of credentials and identity providers in an account's summary."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.iam.account_summary import add_count
from cloudlet.services.iam.api_server_certificates import SERVER_CERTIFICATES
from cloudlet.services.iam.mfa_devices import MFA_DEVICES, count_assigned
from cloudlet.services.iam.providers import OIDC_PROVIDERS, SAML_PROVIDERS
from cloudlet.services.iam.user_credentials import MAX_USER_CERTIFICATES, SIGNING_CERTIFICATES


@add_count
async def count_credentials(tx: Transaction, account: str) -> dict[str, int]:
    """Return the counts of an account."""
    certificates = await SIGNING_CERTIFICATES.list_owned(tx, account, "")
    return {
        "AccountMFAEnabled": 0,
        "AccountSigningCertificatesPresent": len(certificates),
        "MFADevices": await MFA_DEVICES.count(tx, account),
        "MFADevicesInUse": await count_assigned(tx, account),
        "Providers": await SAML_PROVIDERS.count(tx, account) + await OIDC_PROVIDERS.count(tx, account),
        "ServerCertificates": await SERVER_CERTIFICATES.count(tx, account),
        "ServerCertificatesQuota": SERVER_CERTIFICATES.max_entities,
        "SigningCertificatesPerUserQuota": MAX_USER_CERTIFICATES,
    }
