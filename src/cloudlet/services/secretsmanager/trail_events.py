"""Events of CloudTrail about what Secrets Manager does by itself: rotations, deletions, replications.

User guide, "AWS CloudTrail entries for Secrets Manager"; from CloudTrail they come to EventBridge.
"""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.audit import find_trail
from cloudlet.services.secretsmanager.secret_record import Secret


def add(tx: Transaction, block: Block, secret: Secret, name: str, error: str = "", **more: str) -> None:
    """Record an event about a secret; `error` says why something failed."""
    trail = find_trail(block)
    if trail is not None:
        data = {"SecretId": secret.arn, **more}
        trail.record_service_event_in(tx, secret.account, secret.region, name, data, error)
