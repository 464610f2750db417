"""Scheduled actions, by the cloud's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.refused import code_of
from tests.services.application_autoscaling.cloud import TABLE, WRITE, ScalingCloud
from tests.standing import Standing, eventually

_FAR = "at(2039-01-01T00:00:00)"


def _put(cloud: ScalingCloud, schedule: str, name: str = "s", **more: Any) -> None:
    action = {"MinCapacity": 8, "MaxCapacity": 10}
    params = {"ScheduledActionName": name, "Schedule": schedule, "ScalableTargetAction": action, **more}
    cloud.scaling.put_scheduled_action(**{**TABLE, **params})


def _wait_for_runs(cloud: ScalingCloud, count: int) -> None:
    """Wait until scheduled actions have run so often."""
    eventually(lambda: sum("min" in one["Description"] for one in cloud.activities()), lambda runs: runs == count)


def _now(cloud: ScalingCloud) -> datetime:
    moment: datetime = cloud.target["CreationTime"].astimezone(UTC)
    return moment


def test_an_action_is_shown_as_it_was_put(cloud: ScalingCloud) -> None:
    cloud.register()
    start = datetime(2039, 1, 1, tzinfo=UTC)
    _put(cloud, "cron(0 8 * * ? *)", Timezone="Europe/Berlin", StartTime=start, EndTime=start + timedelta(days=1))
    (shown,) = cloud.scaling.describe_scheduled_actions(**TABLE)["ScheduledActions"]
    assert shown["ScheduledActionARN"].endswith(":resource/dynamodb/table/tab:scheduledActionName/s")
    assert (shown["Schedule"], shown["Timezone"]) == ("cron(0 8 * * ? *)", "Europe/Berlin")
    assert (shown["StartTime"], shown["EndTime"]) == (start, start + timedelta(days=1))
    assert shown["ScalableTargetAction"] == {"MinCapacity": 8, "MaxCapacity": 10}
    cloud.scaling.put_scheduled_action(**TABLE, ScheduledActionName="s", ScalableTargetAction={"MinCapacity": 3})
    (changed,) = cloud.scaling.describe_scheduled_actions(**TABLE, ScheduledActionNames=["s"])["ScheduledActions"]
    assert (changed["Schedule"], changed["ScalableTargetAction"]) == (shown["Schedule"], {"MinCapacity": 3})
    assert "StartTime" not in changed
    cloud.scaling.delete_scheduled_action(**TABLE, ScheduledActionName="s")
    assert code_of(cloud.scaling.delete_scheduled_action, **TABLE, ScheduledActionName="s") == "ObjectNotFoundException"


def test_bounds_change_when_an_action_is_due(still: ScalingCloud, standing: Standing) -> None:
    still.register()
    _put(still, f"at({_now(still) + timedelta(hours=1):%Y-%m-%dT%H:%M:%S})")
    standing.advance("59m")
    assert still.target["MinCapacity"] == 1
    standing.advance("2m")
    still.wait_for("Setting read capacity units to 8.")
    assert still.units == (8, 5)
    scaled, bounds = still.activities()
    assert scaled["Cause"] == "minimum capacity was set to 8"
    assert bounds["Description"] == "Setting min capacity to 8 and max capacity to 10"
    assert bounds["StatusMessage"] == "Successfully set min capacity to 8 and max capacity to 10"
    assert bounds["Cause"] == "scheduled action name s was triggered"
    standing.advance("1d")
    assert len(still.activities()) == 2


def test_a_rate_and_a_cron_expression_recur(still: ScalingCloud, standing: Standing) -> None:
    still.register()
    _put(still, "rate(1 hour)", "rate")
    noon = _now(still)
    # In New York, it is four or five hours earlier.
    local = (noon + timedelta(hours=2, minutes=30)).astimezone(ZoneInfo("America/New_York"))
    _put(still, f"cron({local.minute} {local.hour} * * ? *)", "cron", Timezone="America/New_York")
    for count in (1, 2, 4):
        standing.advance("1h")
        _wait_for_runs(still, count)
    causes = [one["Cause"] for one in still.activities() if "min" in one["Description"]]
    assert causes.count("scheduled action name cron was triggered") == 1


def test_start_and_end_limit_a_rate(still: ScalingCloud, standing: Standing) -> None:
    still.register()
    now = _now(still)
    _put(still, "rate(1 hour)", StartTime=now + timedelta(hours=5), EndTime=now + timedelta(hours=6, minutes=30))
    standing.advance("4h")
    assert still.activities() == []
    for count in (1, 2, 2):
        standing.advance("1h5m" if count == 1 else "1h")
        _wait_for_runs(still, count)


def test_suspended_actions_do_nothing(still: ScalingCloud, standing: Standing) -> None:
    still.register(SuspendedState={"ScheduledScalingSuspended": True})
    still.register(ScalableDimension=WRITE)
    _put(still, "rate(1 hour)")
    _put(still, "rate(1 hour)", ScalableDimension=WRITE)
    standing.advance("61m")
    # Both are due at the same time.
    still.wait_for("Setting write capacity units to 8.")
    assert still.target["MinCapacity"] == 1
    still.scaling.register_scalable_target(**TABLE, SuspendedState={"ScheduledScalingSuspended": False})
    standing.advance("1h")
    eventually(lambda: still.units, lambda units: units == (8, 8))


def test_a_minimum_above_the_maximum_fails(still: ScalingCloud, standing: Standing) -> None:
    still.register(1, 5)
    _put(still, "rate(1 hour)", ScalableTargetAction={"MinCapacity": 8})
    standing.advance("61m")
    failed = still.wait_for("Setting min capacity to 8", "Failed")
    assert failed["StatusMessage"].endswith("Maximum capacity cannot be less than minimum capacity")
    assert still.target["MinCapacity"] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"Schedule": "at(2001-01-01T00:00:00)"},
        {"Schedule": "rate(0 hours)"},
        {"Schedule": "cron(a)"},
        {"Timezone": "Nowhere/At_All"},
        {"EndTime": datetime(2001, 1, 1, tzinfo=UTC)},
        {"StartTime": datetime(2041, 1, 1, tzinfo=UTC), "EndTime": datetime(2040, 1, 1, tzinfo=UTC)},
        {"ScalableTargetAction": {}},
        {"ScalableTargetAction": {"MinCapacity": 0}},
        {"ScalableTargetAction": {"MaxCapacity": -1}},
        {"ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 1}},
        {"ScalableTargetAction": None},
        {"Schedule": None},
    ],
)
def test_what_makes_no_sense_is_refused(cloud: ScalingCloud, given: dict[str, Any]) -> None:
    cloud.register()
    params = {"ScheduledActionName": "s", "Schedule": _FAR, "ScalableTargetAction": {"MinCapacity": 1}, **given}
    params = {name: value for name, value in params.items() if value is not None}
    assert code_of(cloud.scaling.put_scheduled_action, **TABLE, **params) == "ValidationException"
