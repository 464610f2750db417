"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service(
    "pipes",
    namespace="AWS/EventBridge/Pipes",
    decides=(
        "DeletePipe",
        "DescribePipe",
        "ListTagsForResource",
        "StartPipe",
        "StopPipe",
        "TagResource",
        "UntagResource",
        "UpdatePipe",
    ),
    hidden=("Description", "EnrichmentParameters", "InputTemplate", "Pattern", "TargetParameters"),
)
