"""The quotas of App Mesh (App Mesh User Guide, "Service quotas")."""

from __future__ import annotations

from typing import Final

MAX_MESHES: Final = 15
MAX_VIRTUAL_SERVICES: Final = 200
MAX_VIRTUAL_NODES: Final = 200
MAX_VIRTUAL_ROUTERS: Final = 200
MAX_ROUTES: Final = 50
MAX_VIRTUAL_GATEWAYS: Final = 3
MAX_GATEWAY_ROUTES: Final = 10
MAX_BACKENDS: Final = 50
MAX_PARAMETER_NAME_BYTES: Final = 1024
MAX_DURATION_SECONDS: Final = 2_147_483_647
MAX_COUNTED_EVENTS: Final = 2_147_483_647
"""The greatest number of retries, or of errors, that Envoy takes."""
MAX_PAGE_ITEMS: Final = 100
