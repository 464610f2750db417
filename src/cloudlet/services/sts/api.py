"""The operations of AWS STS."""

from __future__ import annotations

from cloudlet.services.sts import api_identity, api_roles, api_saml, api_users, api_web_identity
from cloudlet.services.sts.block import service

__all__ = ["api_identity", "api_roles", "api_saml", "api_users", "api_web_identity", "service"]
