"""Permissions on scalable targets, and of the roles by which they are scaled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.application_autoscaling.cloud import TABLE, TRACKING, ScalingCloud
from tests.standing import eventually
from tests.strict_accounts import Account, Caller, allow, is_denied

_BOUNDS = {"MinCapacity": 8, "MaxCapacity": 10}
_NAMESPACE = "application-autoscaling:service-namespace"


class _Cloud(ScalingCloud):
    """What somebody does where permissions are enforced."""

    def __init__(self, account: Account, caller: Caller) -> None:
        self.account = account.number
        self.scaling: Any = caller.client("application-autoscaling")
        self.dynamodb: Any = account.client("dynamodb")
        self.cloudwatch: Any = account.client("cloudwatch")


@pytest.fixture
def table(strict_account: Account) -> Account:
    """An account with a table, where permissions are enforced."""
    _Cloud(strict_account, strict_account).create_table()
    return strict_account


def test_policies_decide_by_namespace(table: Account) -> None:
    only = {"StringEquals": {_NAMESPACE: "dynamodb"}}
    linked = allow("iam:CreateServiceLinkedRole")
    may = table.user(allow("application-autoscaling:RegisterScalableTarget", Condition=only), linked, name="may")
    other = {"StringEquals": {_NAMESPACE: "ecs"}}
    may_not = table.user(allow("application-autoscaling:*", Condition=other), linked, name="may-not")
    no_role = table.user(allow("application-autoscaling:*"), name="no-role")

    def is_refused(caller: Caller) -> bool:
        register = caller.client("application-autoscaling").register_scalable_target
        return is_denied(register, **TABLE, **_BOUNDS)

    assert is_refused(may_not)
    # The service-linked role is not there yet, and is made by the caller's permissions.
    assert is_refused(no_role)
    assert not is_refused(may)
    assert not is_refused(no_role)


def test_the_service_linked_role_scales_and_makes_alarms(table: Account) -> None:
    cloud = _Cloud(table, table)
    cloud.scaling.register_scalable_target(**TABLE, **_BOUNDS)
    cloud.wait_for("Setting read capacity units to 8.")
    cloud.track(TRACKING)
    assert len(cloud.alarms()) == 4
    assert cloud.alarms()["AlarmHigh"]["Threshold"] == 240.0


def test_a_role_of_ones_own_needs_permissions(table: Account) -> None:
    service = "dynamodb.application-autoscaling"
    role = table.service_role(service, allow("dynamodb:DescribeTable"))
    cloud = _Cloud(table, table)
    cloud.scaling.register_scalable_target(**TABLE, **_BOUNDS, RoleARN=role)
    failed = cloud.wait_for("Setting read capacity units to 8.", "Failed")
    assert "dynamodb:UpdateTable" in failed["StatusMessage"]
    table.let_role(allow(["dynamodb:DescribeTable", "dynamodb:UpdateTable"]))

    def register() -> tuple[int, int]:
        cloud.scaling.register_scalable_target(**TABLE, **_BOUNDS)
        return cloud.units

    eventually(register, lambda units: units == (8, 5))
    assert cloud.target["RoleARN"] == role


def test_an_alarm_that_the_role_may_not_delete_stops_no_scaling(table: Account) -> None:
    units, alarms = ["dynamodb:DescribeTable", "dynamodb:UpdateTable"], ["cloudwatch:Describe*", "cloudwatch:Put*"]
    role = table.service_role("dynamodb.application-autoscaling", allow([*units, *alarms]))
    cloud = _Cloud(table, table)
    cloud.scaling.register_scalable_target(**TABLE, **_BOUNDS, RoleARN=role)
    cloud.wait_for("Setting read capacity units to 8.")
    cloud.track(TRACKING)
    cloud.scaling.delete_scaling_policy(**TABLE, PolicyName="p")
    cloud.scaling.register_scalable_target(**TABLE, MinCapacity=9, MaxCapacity=10)
    cloud.wait_for("Setting read capacity units to 9.")
    assert len(cloud.alarms()) == 4
