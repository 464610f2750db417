"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service(
    "ssm",
    decides="all",
    hidden=("PutParameterRequest.Value", "Parameter.Value", "Parameter.SourceResult", "ParameterHistory.Value"),
)
