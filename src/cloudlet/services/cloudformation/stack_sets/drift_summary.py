"""Drift of a stack set: what was found of its instances, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.services.cloudformation.stack_sets.stack_set_record import DriftDetails, Operation, Result

_STATES: Final[Mapping[str, str]] = {"FAILED": "FAILED", "STOPPED": "STOPPED"}
"""The states of detections by those of their operations, where they say all."""


def summarize_drift(operation: Operation, results: Sequence[Result]) -> DriftDetails:
    """Return what a detection has found by now."""
    drifted = sum(result.drift == "DRIFTED" for result in results)
    in_sync = sum(result.drift == "IN_SYNC" for result in results)
    failed = sum(result.status == "FAILED" for result in results)
    state = _STATES.get(operation.status, "PARTIAL_SUCCESS" if failed else "COMPLETED")
    status = "DRIFTED" if drifted else "IN_SYNC" if in_sync else "NOT_CHECKED"
    return DriftDetails(
        status,
        state if operation.ended else "IN_PROGRESS",
        operation.ended,
        len(results),
        drifted,
        in_sync,
        sum(result.status in ("PENDING", "RUNNING") for result in results),
        failed,
    )


def describe_drift(drift: DriftDetails) -> dict[str, Any]:
    """Return the drift of a set as the API has it."""
    shown: dict[str, Any] = {
        "DriftStatus": drift.status,
        "TotalStackInstancesCount": drift.total,
        "DriftedStackInstancesCount": drift.drifted,
        "InSyncStackInstancesCount": drift.in_sync,
        "InProgressStackInstancesCount": drift.in_progress,
        "FailedStackInstancesCount": drift.failed,
    }
    optional = {"DriftDetectionStatus": drift.detection, "LastDriftCheckTimestamp": drift.checked}
    return shown | {key: value for key, value in optional.items() if value}
