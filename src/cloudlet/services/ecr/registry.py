"""The settings of registries in the store."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.core.authorization.condition_keys import get_principal_arn
from cloudlet.core.aws.records import Records
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.ecr import errors
from cloudlet.services.ecr.registry_record import Registry

DEFAULT_SETTINGS: Final = {
    "BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE",
    "BLOB_MOUNTING": "DISABLED",
    "REGISTRY_POLICY_SCOPE": "V2",
}
"""Account settings, and what they are where nobody has changed them."""
_WITH_ARNS: Final = ("user", "assumed-role")
_records: Final = Records(Subspace("registry"), Registry, errors.RegistryPolicyNotFound)
save = _records.save


async def load(tx: Transaction, account: str, region: str) -> Registry:
    """Return the settings of a registry."""
    return await _records.find(tx, account, region, "") or Registry(account, region)


def get_setting(registry: Registry, name: str) -> str:
    """Return an account setting."""
    return registry.settings.get(name, DEFAULT_SETTINGS[name])


def is_excluded(registry: Registry, principal: Principal) -> bool:
    """Whether the pulls of a principal are not recorded."""
    return (
        bool(registry.exclusions)
        and principal.kind in _WITH_ARNS
        and get_principal_arn(principal) in (registry.exclusions)
    )
