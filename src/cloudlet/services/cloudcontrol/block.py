"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service("cloudcontrol", hidden=("DesiredState", "PatchDocument", "Properties", "ResourceModel"))
