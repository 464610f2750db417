"""Events for EventBridge: what becomes of parameters, and what their policies do.

User guide, "Amazon EventBridge event examples for Systems Manager" and "Setting up notifications or trigger actions
based on Parameter Store events".
"""

from __future__ import annotations

import json
from typing import Any, Literal

from cloudlet.core import Transaction
from cloudlet.core.aws import service_events
from cloudlet.services.ssm.names import make_arn
from cloudlet.services.ssm.parameter_record import Parameter, Policy

Operation = Literal["Create", "Update", "Delete", "LabelParameterVersion"]


def add(tx: Transaction, parameter: Parameter, operation: Operation, now: float) -> None:
    """Have EventBridge told of what is done to a parameter.

    `now` is in seconds since the epoch.
    """
    detail = {"operation": operation, "name": parameter.name, "type": parameter.latest.type}
    if parameter.latest.description:
        detail["description"] = parameter.latest.description
    _add(tx, parameter, "Parameter Store Change", detail, now)


def add_action(tx: Transaction, parameter: Parameter, policy: Policy, now: float) -> None:
    """Have EventBridge told of what a policy of a parameter does."""
    detail = {"parameter-name": parameter.name, "policy-type": policy.type, "policy-content": policy.text}
    _add(tx, parameter, "Parameter Store Policy Action", detail, now)


def _add(tx: Transaction, parameter: Parameter, kind: str, detail: dict[str, Any], now: float) -> None:
    entry = {
        "Source": "aws.ssm",
        "DetailType": kind,
        "Detail": json.dumps(detail),
        "Resources": [make_arn(parameter.account, parameter.region, parameter.name)],
        "Time": now,
    }
    service_events.add(tx, parameter.account, parameter.region, entry)
