"""The operations of App Mesh, and the service for its Envoys."""

from __future__ import annotations

from cloudlet.services.appmesh import api_resources, api_tags
from cloudlet.services.appmesh.block import service
from cloudlet.services.appmesh.management import serving

__all__ = ["api_resources", "api_tags", "service"]

service.job(serving.serve)
service.page("envoys")(serving.show_envoys)
