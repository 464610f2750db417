"""The operations of App Mesh."""

from __future__ import annotations

from cloudlet.services.appmesh import api_resources, api_tags
from cloudlet.services.appmesh.block import service

__all__ = ["api_resources", "api_tags", "service"]
