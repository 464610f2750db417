"""Reports of Envoys on health checks, brought into the records of targets."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cloudlet.services.elbv2 import views
from cloudlet.services.elbv2.proxy import health_checks
from cloudlet.services.elbv2.proxy.proxies import EnvoyProcess, ServedVpc
from cloudlet.services.elbv2.proxy.target_health import DISABLED, HealthEvent, parse_event
from cloudlet.services.elbv2.proxy.view import TargetHealth, View

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_MAX_FILE_BYTES: Final = 1 << 20
_Health = dict[tuple[str, int], TargetHealth]


async def follow(block: Block, served: ServedVpc, envoy: EnvoyProcess) -> None:
    """Write down what is new in the file of an Envoy's events."""
    events = await asyncio.to_thread(_read, envoy) if _has_news(envoy) else []
    if not events:
        return
    for event in events:
        group = served.view.target_groups.get(event.group)
        served.states.take(event, health_checks.find_patience(group) if group else 0.0)
    await record(block, served, {event.group for event in events})


async def record(block: Block, served: ServedVpc, arns: Iterable[str]) -> None:
    """Write down what is known of the targets of groups."""
    for arn in arns:
        group = served.view.target_groups.get(arn)
        targets = () if group is None else group.targets
        found = {
            (target.id, target.port): served.states.get(arn, target.address, target.port)
            for target in targets
            if target.draining_until is None and served.states.has(arn, target.address, target.port)
        }
        if found:
            await views.record_health(block, arn, found)


def _has_news(envoy: EnvoyProcess) -> bool:
    try:
        return envoy.health_events.stat().st_size != envoy.read_bytes
    except FileNotFoundError:
        return False


def _read(envoy: EnvoyProcess) -> list[HealthEvent]:
    try:
        with envoy.health_events.open("rb") as file:
            file.seek(envoy.read_bytes)
            content = file.read()
    except FileNotFoundError:
        return []
    # The last line may not be whole yet.
    whole = content[: content.rfind(b"\n") + 1]
    envoy.read_bytes += len(whole)
    if envoy.read_bytes > _MAX_FILE_BYTES and whole == content:
        os.truncate(envoy.health_events, 0)
        envoy.read_bytes = 0
    return [event for line in whole.splitlines() if (event := parse_event(line)) is not None]


async def record_unchecked(block: Block, view: View) -> None:
    """Write down that targets of groups without health checks are not checked."""
    found: dict[str, _Health] = defaultdict(dict)
    for group in view.target_groups.values():
        if not health_checks.is_checked(group):
            for target in group.targets:
                if target.draining_until is None:
                    found[group.arn][target.id, target.port] = DISABLED
    for arn, health in found.items():
        await views.record_health(block, arn, health)
