"""Refusals of Envoys, brought into the states of load balancers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudlet.services.elbv2 import views
from cloudlet.services.elbv2.proxy.view import View

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block


async def record(block: Block, view: View, refused: Sequence[str]) -> None:
    """Write down which listeners Envoy has refused, by their names in its words."""
    text = "\n".join(refused)
    is_told = False
    for load_balancer in view.load_balancers:
        for listener in load_balancer.listeners:
            is_named = listener.arn in text
            is_told = is_told or is_named
            await views.record_refusal(block, listener.arn, text if is_named else "")
    # What names no listener concerns all.
    await record_all(block, view, "" if is_told else text)


async def record_all(block: Block, view: View, text: str) -> None:
    """Write down why all load balancers were refused, or with "" that they were not."""
    for load_balancer in view.load_balancers:
        await views.record_refusal(block, load_balancer.arn, text)
