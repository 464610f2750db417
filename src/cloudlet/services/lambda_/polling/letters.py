"""Telling a mapping's destination about records that are given up.

Developer guide, "Retain discarded batch records for a DynamoDB event source in Lambda".
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn
from cloudlet.core.block import Block
from cloudlet.core.messages import message
from cloudlet.services.lambda_.mapping import Mapping
from cloudlet.services.lambda_.polling.calling import call


async def send(block: Block, mapping: Mapping, document: dict[str, Any]) -> None:
    """Send what there is to say. Raises AwsError."""
    arn = Arn.parse(mapping.on_failure)
    operation, params = message(block, arn, msgspec.json.encode(document).decode())
    await call(block, mapping, arn.service, operation, params, region=arn.region)
