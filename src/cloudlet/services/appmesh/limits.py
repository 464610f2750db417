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
MAX_PAGE_ITEMS: Final = 100
