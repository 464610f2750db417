"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Service

REGION: Final = ""
"""The region of what is stored: Route 53 has one for all."""
NAMES_TOPIC: Final = b"names"
"""The topic of all changes of what is answered to queries."""

service = Service("route53", namespace="AWS/Route53", read_only=("TestDNSAnswer",))
