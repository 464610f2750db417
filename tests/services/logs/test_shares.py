"""What one account has done does not hold up that of others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloudlet.core.identity import root
from cloudlet.services.logs import forwarding, publishing, receivers
from tests.services.logs.conftest import ACCOUNT, REGION, LocalLogs

OTHER = "222222222222"


def fill(local: LocalLogs, account: str, group: str, operation: str, **params: Any) -> None:
    """Have an operation done for a new log group of an account, and an event put there."""
    stream = {"logGroupName": group, "logStreamName": "s"}
    event = {"timestamp": local.millis, "message": "m"}
    for name, given in (
        ("CreateLogGroup", {"logGroupName": group}),
        ("CreateLogStream", stream),
        (operation, {"logGroupName": group, "filterName": "f", "filterPattern": "", **params}),
        ("PutLogEvents", {**stream, "logEvents": [event]}),
    ):
        local.call_as(root(account), name, given, account=account)


def test_metrics_of_others_are_published_while_some_are_not_taken(
    local: LocalLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    async def send(block: Any, target: tuple[str, str, str], data: Any) -> None:
        sent.append(target[0])
        if target[0] == ACCOUNT:
            await asyncio.Event().wait()

    monkeypatch.setattr(publishing, "_send", send)
    metric = {"metricName": "M", "metricNamespace": "N", "metricValue": "1"}
    count = publishing._GROUPS_OF_ACCOUNT
    for number in range(count + 1):
        fill(local, ACCOUNT, f"g{number}", "PutMetricFilter", metricTransformations=[metric])
    fill(local, OTHER, "g", "PutMetricFilter", metricTransformations=[metric])
    local.until(lambda: OTHER in sent)
    assert sent.count(ACCOUNT) == count


def test_others_are_delivered_to_while_some_receivers_do_not_answer(
    local: LocalLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.cloud.played["lambda"] = lambda call: {}
    delivered: list[str] = []

    async def deliver(block: Any, arn: Any, *more: Any) -> None:
        delivered.append(arn.account)
        if arn.account == ACCOUNT:
            await asyncio.Event().wait()

    monkeypatch.setattr(receivers, "deliver", deliver)
    count = forwarding._MOST_OF_ACCOUNT
    for number in range(count + 1):
        function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
        fill(local, ACCOUNT, f"g{number}", "PutSubscriptionFilter", destinationArn=function)
    function = f"arn:aws:lambda:{REGION}:{OTHER}:function:f"
    fill(local, OTHER, "g", "PutSubscriptionFilter", destinationArn=function)
    local.until(lambda: OTHER in delivered)
    assert delivered.count(ACCOUNT) == count
