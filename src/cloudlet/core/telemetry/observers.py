"""Observers of all blocks: CloudTrail, CloudWatch and X-Ray get to know of their calls."""

from __future__ import annotations

from typing import Final

from cloudlet.core.kernel.observer import MakeObserver
from cloudlet.core.telemetry.audit import observe_calls
from cloudlet.core.telemetry.reporting import observe_usage
from cloudlet.core.telemetry.segments import observe_segments

OBSERVERS: Final[tuple[MakeObserver, ...]] = (observe_calls, observe_usage, observe_segments)
