"""The operations of IAM."""

from __future__ import annotations

from cloudlet.services.iam import (
    account_summary,
    api_access_keys,
    api_account_aliases,
    api_attachments,
    api_authorization_details,
    api_credential_report,
    api_groups,
    api_inline_policies,
    api_instance_profiles,
    api_internal,
    api_login_profiles,
    api_mfa_devices,
    api_oidc_providers,
    api_password_policy,
    api_policies,
    api_roles,
    api_saml_providers,
    api_server_certificates,
    api_service_access,
    api_service_credentials,
    api_service_linked_roles,
    api_signing_certificates,
    api_simulation,
    api_ssh_keys,
    api_tags,
    api_users,
    credential_counts,
)
from cloudlet.services.iam.authorizing import authorize_all
from cloudlet.services.iam.block import service

authorize_all(service)

__all__ = [
    "account_summary",
    "api_access_keys",
    "api_account_aliases",
    "api_attachments",
    "api_authorization_details",
    "api_credential_report",
    "api_groups",
    "api_inline_policies",
    "api_instance_profiles",
    "api_internal",
    "api_login_profiles",
    "api_mfa_devices",
    "api_oidc_providers",
    "api_password_policy",
    "api_policies",
    "api_roles",
    "api_saml_providers",
    "api_server_certificates",
    "api_service_access",
    "api_service_credentials",
    "api_service_linked_roles",
    "api_signing_certificates",
    "api_simulation",
    "api_ssh_keys",
    "api_tags",
    "api_users",
    "credential_counts",
    "service",
]
