"""The operations of Amazon ECS, and its jobs."""

from __future__ import annotations

from cloudlet.services.ecs.block import service

__all__ = ["service"]
