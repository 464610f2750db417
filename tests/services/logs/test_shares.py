"""What one account has done does not hold up that of others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloudlet.core import Transaction
from cloudlet.core.kernel.identity import root
from cloudlet.services.logs import events, forwarding, jobs, publishing, receivers
from cloudlet.services.logs.group_record import Group
from tests.services.logs.conftest import ACCOUNT, REGION, LocalLogs

OTHER = "222222222222"
FILTER = {"filterName": "f", "filterPattern": ""}


def fill(local: LocalLogs, account: str, group: str, operation: str, **params: Any) -> None:
    """Have an operation done for a new log group of an account, and an event put there."""
    stream = {"logGroupName": group, "logStreamName": "s"}
    event = {"timestamp": local.millis, "message": "m"}
    for name, given in (
        ("CreateLogGroup", {"logGroupName": group}),
        ("CreateLogStream", stream),
        (operation, {"logGroupName": group, **params}),
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
        fill(local, ACCOUNT, f"g{number}", "PutMetricFilter", **FILTER, metricTransformations=[metric])
    fill(local, OTHER, "g", "PutMetricFilter", **FILTER, metricTransformations=[metric])
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
        fill(local, ACCOUNT, f"g{number}", "PutSubscriptionFilter", **FILTER, destinationArn=function)
    function = f"arn:aws:lambda:{REGION}:{OTHER}:function:f"
    fill(local, OTHER, "g", "PutSubscriptionFilter", **FILTER, destinationArn=function)
    local.until(lambda: OTHER in delivered and delivered.count(ACCOUNT) >= count)
    local.run(local.settle())
    assert delivered.count(ACCOUNT) == count


def test_what_has_much_to_be_removed_does_not_hold_up_others(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STEPS", 2)
    monkeypatch.setattr(jobs, "_PAUSE_SECONDS", 0.01)
    looked_at: list[str] = []

    async def expire(tx: Transaction, group: Group, horizon: int) -> bool:
        looked_at.append(group.account)
        return looked_at.count(group.account) < 5

    for account in (ACCOUNT, OTHER):
        fill(local, account, "g", "PutRetentionPolicy", retentionInDays=1)
    monkeypatch.setattr(events, "expire", expire)
    local.advance(86_400)
    local.until(lambda: looked_at.count(ACCOUNT) >= 5 <= looked_at.count(OTHER))
    assert looked_at[:8] == [*[ACCOUNT] * 2, *[OTHER] * 2] * 2
