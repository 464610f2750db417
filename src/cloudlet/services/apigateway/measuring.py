"""What API Gateway measures of itself, for CloudWatch.

Developer guide, "Monitor CloudWatch metrics for HTTP APIs" and "Monitor WebSocket API execution with CloudWatch
metrics". What stages do is counted in memory, and added to the block's metrics each minute.
"""

from __future__ import annotations

from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import Dimensions, Meter, get_metrics, is_measured
from cloudlet.services.apigateway.documents import Place


def meters(block: Block, place: Place, *dimensions: Dimensions) -> list[Meter]:
    """Return the meters of some dimensions; none where nothing is measured, or too much."""
    if not is_measured(block):
        return []
    found = (get_metrics(block).meter(place.account, place.region, each) for each in dimensions)
    return [meter for meter in found if meter is not None]
