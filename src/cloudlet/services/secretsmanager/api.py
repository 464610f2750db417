"""The operations of Secrets Manager, and its jobs."""

from __future__ import annotations

from cloudlet.services.secretsmanager import (
    api_lists,
    api_passwords,
    api_policies,
    api_replicas,
    api_rotation,
    api_secrets,
    api_tags,
    api_values,
    deletion,
    rotating,
    rotation,
)
from cloudlet.services.secretsmanager.block import service

__all__ = [
    "api_lists",
    "api_passwords",
    "api_policies",
    "api_replicas",
    "api_rotation",
    "api_secrets",
    "api_tags",
    "api_values",
    "service",
]

service.job(deletion.delete_expired)
service.job(rotation.open_windows)
service.job(rotating.rotate)
