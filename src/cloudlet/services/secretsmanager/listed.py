"""Secrets as DescribeSecret and ListSecrets show them."""

from __future__ import annotations

from typing import Any

from cloudlet.core.aws import tags
from cloudlet.services.secretsmanager.secret_record import Secret


def to_api(secret: Secret) -> dict[str, Any]:
    """Return what both operations show of a secret."""
    rotation = secret.rotation
    is_rotated = rotation is not None and rotation.is_enabled
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description or None,
        "KmsKeyId": secret.kms_key or None,
        "RotationEnabled": None if rotation is None else rotation.is_enabled,
        "RotationLambdaARN": None if rotation is None else rotation.lambda_arn,
        "RotationRules": None if rotation is None else rotation.rules or None,
        "LastRotatedDate": (rotation.rotated or None) if rotation is not None and is_rotated else None,
        "LastChangedDate": secret.changed,
        "LastAccessedDate": secret.accessed or None,
        "NextRotationDate": (rotation.closes or None) if rotation is not None and is_rotated else None,
        "Tags": tags.to_list(secret.tags) or None,
        "OwningService": secret.owner or None,
        "CreatedDate": secret.created,
        "PrimaryRegion": secret.primary_region or (secret.region if secret.replicas else None),
    }
