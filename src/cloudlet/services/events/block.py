"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service("events", namespace="AWS/Events", data_events=("InvokeApiDestination", "PutEvents"))
