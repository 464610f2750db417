"""Drift of stacks in tests."""

from __future__ import annotations

import json

from tests.services.cloudformation.deploying import Stacks
from tests.standing import eventually


def list_drifts(stacks: Stacks, name: str) -> dict[str, tuple[str, set[str]]]:
    """Detect the drift of a stack; return the status of each resource, with the properties that were not read."""
    client = stacks.client
    detection = client.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
    eventually(
        lambda: client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)["DetectionStatus"],
        lambda status: status != "DETECTION_IN_PROGRESS",
    )
    found = {}
    for drift in client.describe_stack_resource_drifts(StackName=name)["StackResourceDrifts"]:
        expected, actual = json.loads(drift["ExpectedProperties"]), json.loads(drift.get("ActualProperties", "{}"))
        found[drift["LogicalResourceId"]] = (drift["StackResourceDriftStatus"], set(expected) - set(actual))
    return found
