"""Keys as DescribeKey shows them (API Reference, "KeyMetadata")."""

from __future__ import annotations

from typing import Any

from cloudlet.services.kms import key_spec, key_state
from cloudlet.services.kms.key_record import Key, make_key_arn


def to_api(key: Key) -> dict[str, Any]:
    """Return the metadata of a key."""
    shown: dict[str, Any] = {
        "AWSAccountId": key.account,
        "KeyId": key.name,
        "Arn": key.arn,
        "CreationDate": key.created,
        "Enabled": key.state == key_state.ENABLED,
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": bool(key.regions),
        **list_algorithms(key),
    }
    if key.state == key_state.PENDING_DELETION:
        shown["DeletionDate"] = key.deletion_date
    if key.state == key_state.PENDING_REPLICA_DELETION:
        shown["PendingDeletionWindowInDays"] = key.deletion_window
    if key.regions:
        shown["MultiRegionConfiguration"] = _show_regions(key)
    if key.spec == key_spec.SYMMETRIC and key.current is not None:
        shown["CurrentKeyMaterialId"] = key.current.id
    if key.is_imported and any(each.secret for each in key.materials):
        shown["ExpirationModel"] = show_expiration(key.valid_to)
        shown["ValidTo"] = key.valid_to
    return shown


def show_expiration(valid_to: float | None) -> str:
    """Return the expiration model of material that expires then."""
    return "KEY_MATERIAL_DOES_NOT_EXPIRE" if valid_to is None else "KEY_MATERIAL_EXPIRES"


def list_algorithms(key: Key) -> dict[str, tuple[str, ...]]:
    """Return the algorithms of a key, under the name that its usage gives them."""
    return {key_spec.ALGORITHMS_MEMBER[key.usage]: key_spec.get_spec(key.spec).uses[key.usage]}


def _show_regions(key: Key) -> dict[str, Any]:
    def show(region: str) -> dict[str, str]:
        return {"Arn": make_key_arn(key.account, region, key.name), "Region": region}

    return {
        "MultiRegionKeyType": "REPLICA" if key.is_replica else "PRIMARY",
        "PrimaryKey": show(key.primary_region),
        "ReplicaKeys": [show(region) for region in key.regions if region != key.primary_region],
    }
