"""Alarms: their states as time passes, what they tell, and their history."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.services.cloudwatch import evaluating
from tests.services.cloudwatch.local import ACCOUNT, REGION, LocalCloud

MINUTE, HOUR, DAY = 60, 3600, 86400
ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"


@pytest.fixture
def cloud(cloud: LocalCloud) -> LocalCloud:
    """The clock stands at the beginning of a minute of an hour."""
    cloud.advance(HOUR - cloud.now % HOUR)
    return cloud


def put_alarm(cloud: LocalCloud, name: str = "high", *, evaluated: bool = True, **more: Any) -> None:
    settings: dict[str, Any] = {
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }
    cloud.call("PutMetricAlarm", AlarmName=name, **{key: value for key, value in settings.items() if value is not None})
    if evaluated:
        cloud.advance(0)


def put_composite(cloud: LocalCloud, name: str, rule: str, **more: Any) -> None:
    cloud.call("PutCompositeAlarm", AlarmName=name, AlarmRule=rule, **more)
    cloud.advance(0)


def alarm(cloud: LocalCloud, name: str = "high") -> dict[str, Any]:
    found = cloud.call("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    [one] = [*found["MetricAlarms"], *found["CompositeAlarms"]]
    return dict(one)


def state(cloud: LocalCloud, name: str = "high") -> str:
    return str(alarm(cloud, name)["StateValue"])


def reason(cloud: LocalCloud) -> str:
    return str(alarm(cloud)["StateReason"])


def history(cloud: LocalCloud, type: str, **more: Any) -> list[dict[str, Any]]:
    answer = cloud.call("DescribeAlarmHistory", HistoryItemType=type, ScanBy="TimestampAscending", **more)
    return list(answer["AlarmHistoryItems"])


def set_state(cloud: LocalCloud, name: str, value: str) -> None:
    cloud.call("SetAlarmState", AlarmName=name, StateValue=value, StateReason="test")
    cloud.advance(0)


def topic(cloud: LocalCloud, name: str = "ring") -> tuple[str, str]:
    """Create a topic and a queue that hears of its messages; return the topic's ARN and the queue's URL."""
    arn = cloud.call("CreateTopic", service="sns", Name=name)["TopicArn"]
    url = cloud.call("CreateQueue", service="sqs", QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    cloud.call(
        "Subscribe",
        service="sns",
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=queue,
        Attributes={},
    )
    return arn, url


def heard(cloud: LocalCloud, url: str) -> list[dict[str, Any]]:
    """Return the envelopes of the messages in a queue, once the outbox is empty."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        messages = cloud.call("ReceiveMessage", service="sqs", QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            found.append(json.loads(message["Body"]))
            cloud.call("DeleteMessage", service="sqs", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bool(messages)

    cloud.until(look)
    return found


def actions(cloud: LocalCloud, count: int) -> list[str]:
    """Return the summaries of so many actions, once that many are there."""
    cloud.until(lambda: len(history(cloud, "Action", AlarmTypes=["MetricAlarm", "CompositeAlarm"])) >= count)
    found = history(cloud, "Action", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert len(found) == count
    return [item["HistorySummary"] for item in found]


def test_an_alarm_follows_its_metric(cloud: LocalCloud) -> None:
    put_alarm(cloud)
    assert (state(cloud), reason(cloud)) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    cloud.put(11)
    cloud.advance(MINUTE)
    found = alarm(cloud)
    assert found["StateValue"] == "ALARM"
    assert found["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [11.0 (")
    assert found["StateReason"].endswith(
        "was greater than the threshold (10.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    data = json.loads(found["StateReasonData"])
    assert (data["recentDatapoints"], data["threshold"], data["statistic"], data["period"]) == ([11], 10, "Sum", 60)
    assert data["evaluatedDatapoints"][0]["sampleCount"] == 1
    assert found["StateTransitionedTimestamp"] == cloud.now
    cloud.put(5)
    cloud.advance(MINUTE)
    assert state(cloud) == "OK"
    assert (
        "was not greater than the threshold (10.0) (minimum 1 datapoint for ALARM -> OK" in alarm(cloud)["StateReason"]
    )
    cloud.advance(5 * MINUTE)
    found = alarm(cloud)
    assert (found["StateValue"], found["StateReason"]) == (
        "INSUFFICIENT_DATA",
        "Insufficient Data: 1 datapoint was unknown.",
    )


@pytest.mark.parametrize(
    ("operator", "breaching", "fine"),
    [
        ("GreaterThanThreshold", 10.5, 10),
        ("GreaterThanOrEqualToThreshold", 10, 9.5),
        ("LessThanThreshold", 9.5, 10),
        ("LessThanOrEqualToThreshold", 10, 10.5),
    ],
)
def test_comparisons(cloud: LocalCloud, operator: str, breaching: float, fine: float) -> None:
    put_alarm(cloud, ComparisonOperator=operator)
    for value, expected in ((breaching, "ALARM"), (fine, "OK")):
        cloud.put(value)
        cloud.advance(MINUTE)
        assert state(cloud) == expected


def test_m_of_n_datapoints(cloud: LocalCloud) -> None:
    put_alarm(cloud, EvaluationPeriods=3, DatapointsToAlarm=2)
    seen = []
    for value in (1, 1, 20, 1, 20, 1, 1, 1):
        cloud.put(value)
        cloud.advance(MINUTE)
        seen.append(state(cloud))
    assert seen[2:] == ["OK", "OK", "ALARM", "OK", "OK", "OK"]


@pytest.mark.parametrize(
    ("treatment", "first", "then"),
    [
        ("missing", "INSUFFICIENT_DATA", "INSUFFICIENT_DATA"),
        ("ignore", "INSUFFICIENT_DATA", "ALARM"),
        ("breaching", "ALARM", "ALARM"),
        ("notBreaching", "OK", "OK"),
    ],
)
def test_missing_data(cloud: LocalCloud, treatment: str, first: str, then: str) -> None:
    put_alarm(cloud, TreatMissingData=treatment)
    assert state(cloud) == first
    cloud.put(20)
    cloud.advance(MINUTE)
    assert state(cloud) == "ALARM"
    cloud.advance(10 * MINUTE)
    assert state(cloud) == then
    if treatment == "notBreaching":
        assert alarm(cloud)["StateReason"] == (
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
            "[NonBreaching]."
        )


def test_tables_of_dynamodb_always_ignore_missing_data(cloud: LocalCloud) -> None:
    put_alarm(cloud, Namespace="AWS/DynamoDB", TreatMissingData="breaching")
    assert state(cloud) == "INSUFFICIENT_DATA"


def test_windows_slide_by_minutes(cloud: LocalCloud) -> None:
    put_alarm(cloud, Period=300)
    cloud.put(20)
    for _ in range(5):
        cloud.advance(MINUTE)
        assert state(cloud) == "ALARM"
    cloud.put(5)
    cloud.advance(MINUTE)
    # The minute of the first value is not among the last five any more.
    assert (state(cloud), "[5.0 (" in reason(cloud)) == ("OK", True)


def test_short_periods_are_evaluated_every_ten_seconds(cloud: LocalCloud) -> None:
    put_alarm(cloud, Period=10)
    cloud.put(20, StorageResolution=1)
    cloud.advance(10)
    assert state(cloud) == "ALARM"
    cloud.put(1, StorageResolution=1)
    cloud.advance(10)
    assert state(cloud) == "OK"


def test_values_of_minutes_are_there_for_short_periods_once_a_minute(cloud: LocalCloud) -> None:
    cloud.advance(MINUTE - cloud.now % MINUTE + 35)
    put_alarm(cloud, Period=10)
    cloud.put(20)
    cloud.advance(10)
    assert state(cloud) == "ALARM"
    assert ":00)]" in reason(cloud)
    cloud.advance(2 * MINUTE)
    assert state(cloud) == "INSUFFICIENT_DATA"


def test_a_percentile_of_few_values_may_be_ignored(cloud: LocalCloud) -> None:
    put_alarm(cloud, "all", Statistic=None, ExtendedStatistic="p90")
    put_alarm(cloud, "enough", Statistic=None, ExtendedStatistic="p90", EvaluateLowSampleCountPercentile="ignore")
    cloud.put(20)
    cloud.advance(MINUTE)
    assert (state(cloud, "all"), state(cloud, "enough")) == ("ALARM", "INSUFFICIENT_DATA")
    datum = {"MetricName": "m", "Values": [20.0], "Counts": [100.0], "Timestamp": cloud.now}
    cloud.call("PutMetricData", Namespace="N", MetricData=[datum])
    cloud.advance(MINUTE)
    assert state(cloud, "enough") == "ALARM"


def metric(id: str, name: str, **more: Any) -> dict[str, Any]:
    of = {"Namespace": "N", "MetricName": name}
    return {"Id": id, "MetricStat": {"Metric": of, "Period": 60, "Stat": "Sum"}, "ReturnData": False, **more}


def put_math(cloud: LocalCloud, *queries: dict[str, Any], **more: Any) -> None:
    settings = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))
    put_alarm(cloud, Metrics=list(queries), **{**settings, **more})


def test_an_alarm_on_an_expression(cloud: LocalCloud) -> None:
    rate = {"Id": "rate", "Expression": "100 * errors / requests", "Label": "Error rate"}
    put_math(cloud, rate, metric("errors", "e"), metric("requests", "r"))
    for errors, expected in ((1, "OK"), (20, "ALARM")):
        cloud.put(errors, "e")
        cloud.put(100, "r")
        cloud.advance(MINUTE)
        assert state(cloud) == expected
    assert "[20.0 (" in alarm(cloud)["StateReason"]
    assert [query["Id"] for query in alarm(cloud)["Metrics"]] == ["rate", "errors", "requests"]


def test_reasons_of_many_datapoints_are_cut(cloud: LocalCloud) -> None:
    put_alarm(cloud, EvaluationPeriods=100, TreatMissingData="ignore")
    for minute in range(100):
        cloud.put(20 + minute / 7, ago=60 * (minute + 1))
    cloud.advance(MINUTE)
    found = alarm(cloud)
    assert found["StateValue"] == "ALARM"
    assert len(found["StateReason"]) == 1023
    data = json.loads(found["StateReasonData"])
    assert len(data["recentDatapoints"]) == len(data["evaluatedDatapoints"]) == 20
    assert data["recentDatapoints"][-1] == 20


# -- what is told


def test_a_topic_is_told_of_changes(cloud: LocalCloud) -> None:
    arn, url = topic(cloud)
    put_alarm(
        cloud,
        AlarmDescription="Too much",
        AlarmActions=[arn],
        OKActions=[arn],
        Dimensions=[{"Name": "Server", "Value": "prod"}],
        TreatMissingData="notBreaching",
    )
    # From INSUFFICIENT_DATA to OK.
    [first] = heard(cloud, url)
    assert first["Subject"] == 'OK: "high" in Europe (Ireland)'
    cloud.put(20, Dimensions=[{"Name": "Server", "Value": "prod"}])
    cloud.advance(MINUTE)
    [second] = heard(cloud, url)
    assert second["Subject"] == 'ALARM: "high" in Europe (Ireland)'
    told = json.loads(second["Message"])
    assert {name: told[name] for name in ("AlarmName", "AlarmDescription", "AWSAccountId", "AlarmArn", "Region")} == {
        "AlarmName": "high",
        "AlarmDescription": "Too much",
        "AWSAccountId": ACCOUNT,
        "AlarmArn": ARN + "high",
        "Region": "Europe (Ireland)",
    }
    assert (told["OldStateValue"], told["NewStateValue"]) == ("OK", "ALARM")
    assert told["NewStateReason"] == alarm(cloud)["StateReason"]
    assert told["StateChangeTime"].endswith("+0000")
    assert (told["AlarmActions"], told["OKActions"], told["InsufficientDataActions"]) == ([arn], [arn], [])
    assert told["Trigger"] == {
        "MetricName": "m",
        "Namespace": "N",
        "StatisticType": "Statistic",
        "Statistic": "SUM",
        "Unit": None,
        "Dimensions": [{"value": "prod", "name": "Server"}],
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 10.0,
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "",
    }
    assert actions(cloud, 2) == [f"Successfully executed action {arn}"] * 2
    data = json.loads(history(cloud, "Action")[1]["HistoryData"])
    assert (data["actionState"], data["notificationResource"]) == ("Succeeded", arn)
    assert data["publishedMessage"]["NewStateValue"] == "ALARM"


def test_a_topic_is_told_how_many_datapoints_have_to_breach_where_that_was_set(cloud: LocalCloud) -> None:
    arn, url = topic(cloud)
    put_alarm(cloud, AlarmActions=[arn], Statistic="SampleCount", DatapointsToAlarm=1)
    set_state(cloud, "high", "ALARM")
    trigger = json.loads(heard(cloud, url)[0]["Message"])["Trigger"]
    assert (trigger["Statistic"], trigger["DatapointsToAlarm"]) == ("SAMPLE_COUNT", 1)


def test_actions_that_fail_stand_in_the_history(cloud: LocalCloud) -> None:
    nowhere = f"arn:aws:sns:{REGION}:{ACCOUNT}:nowhere"
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:none"
    scaling = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:1:autoScalingGroupName/g:policyName/p"
    put_alarm(cloud, AlarmActions=[nowhere, function, scaling])
    set_state(cloud, "high", "ALARM")
    summaries = actions(cloud, 3)
    assert all(summary.startswith("Failed to execute action arn:aws:") for summary in summaries)
    assert any("Topic does not exist" in summary for summary in summaries)
    assert any("does not implement actions of autoscaling" in summary for summary in summaries)


def test_actions_can_be_switched_off_and_on(cloud: LocalCloud) -> None:
    arn, url = topic(cloud)
    put_alarm(cloud, AlarmActions=[arn])
    cloud.call("DisableAlarmActions", AlarmNames=["high", "unknown"])
    assert alarm(cloud)["ActionsEnabled"] is False
    set_state(cloud, "high", "ALARM")
    cloud.call("EnableAlarmActions", AlarmNames=["high"])
    set_state(cloud, "high", "OK")
    set_state(cloud, "high", "ALARM")
    assert len(heard(cloud, url)) == 1
    assert len(actions(cloud, 1)) == 1


def test_a_state_that_is_set_at_once_outlasts_the_first_evaluation(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "LATE_SECONDS", 0.2)
    put_alarm(cloud, evaluated=False, TreatMissingData="notBreaching")
    set_state(cloud, "high", "ALARM")
    assert state(cloud) == "ALARM"
    cloud.advance(MINUTE)
    assert state(cloud) == "OK"


def test_a_state_that_was_set_lasts_until_the_next_evaluation(cloud: LocalCloud) -> None:
    put_alarm(cloud, TreatMissingData="notBreaching")
    data = {"reason": "test"}
    cloud.call(
        "SetAlarmState",
        AlarmName="high",
        StateValue="ALARM",
        StateReason="by hand",
        StateReasonData=json.dumps(data),
    )
    found = alarm(cloud)
    assert (found["StateValue"], found["StateReason"]) == ("ALARM", "by hand")
    cloud.advance(MINUTE)
    assert state(cloud) == "OK"
    changes = history(cloud, "StateUpdate")
    assert [item["HistorySummary"] for item in changes] == [
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from ALARM to OK",
    ]
    told = json.loads(changes[1]["HistoryData"])
    assert told["newState"] == {"stateValue": "ALARM", "stateReason": "by hand", "stateReasonData": data}
    assert cloud.refused("SetAlarmState", AlarmName="none", StateValue="OK", StateReason="").code == "ResourceNotFound"
    refused = cloud.refused(
        "SetAlarmState", AlarmName="high", StateValue="OK", StateReason="", StateReasonData="no JSON"
    )
    assert refused.code == "InvalidFormatFault"


# -- composite alarms


def test_a_composite_alarm_follows_its_rule(cloud: LocalCloud) -> None:
    arn, url = topic(cloud)
    for name in ("a", "b"):
        put_alarm(cloud, name, MetricName=name, TreatMissingData="ignore")
    put_composite(cloud, "both", f'ALARM(a) AND ALARM("{ARN}b")', AlarmActions=[arn])
    assert state(cloud, "both") == "OK"
    set_state(cloud, "a", "ALARM")
    assert state(cloud, "both") == "OK"
    set_state(cloud, "b", "ALARM")
    found = alarm(cloud, "both")
    assert found["StateValue"] == "ALARM"
    assert found["StateReason"].startswith(f"{ARN}b transitioned to ALARM at ")
    triggering = json.loads(found["StateReasonData"])["triggeringAlarms"]
    assert [(one["arn"], one["state"]["value"]) for one in triggering] == [(ARN + "b", "ALARM")]
    told = json.loads(heard(cloud, url)[0]["Message"])
    assert told["AlarmRule"] == found["AlarmRule"]
    assert told["TriggeringChildren"][0]["Arn"] == ARN + "b"
    set_state(cloud, "a", "OK")
    assert state(cloud, "both") == "OK"


@pytest.mark.parametrize("data", ['{"a": 1}', "[]", '{"triggeringAlarms": [{"arn": 1}]}'])
def test_reason_data_of_a_composite_alarm_may_be_any_json(cloud: LocalCloud, data: str) -> None:
    arn, url = topic(cloud)
    put_alarm(cloud, "a", TreatMissingData="ignore")
    put_composite(cloud, "c", "ALARM(a)", AlarmActions=[arn])
    cloud.call("SetAlarmState", AlarmName="c", StateValue="ALARM", StateReason="by hand", StateReasonData=data)
    told = json.loads(heard(cloud, url)[0]["Message"])
    assert (told["NewStateReason"], told["TriggeringChildren"]) == ("by hand", [])


def test_a_composite_alarm_sees_a_state_that_is_set_just_before_an_evaluation(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "LATE_SECONDS", 0.2)
    put_alarm(cloud, "a")
    put_composite(cloud, "c", "ALARM(a)")
    cloud.clock.time += MINUTE
    set_state(cloud, "a", "ALARM")
    assert state(cloud, "a") == "INSUFFICIENT_DATA"
    said = [
        one["HistorySummary"] for one in history(cloud, "StateUpdate", AlarmName="c", AlarmTypes=["CompositeAlarm"])
    ]
    assert said[-2:] == ["Alarm updated from OK to ALARM", "Alarm updated from ALARM to OK"]


def test_composite_alarms_of_composite_alarms(cloud: LocalCloud) -> None:
    put_alarm(cloud, "a", TreatMissingData="ignore")
    put_composite(cloud, "one", "ALARM(a)")
    put_composite(cloud, "two", "NOT OK(one)")
    set_state(cloud, "a", "ALARM")
    assert (state(cloud, "one"), state(cloud, "two")) == ("ALARM", "ALARM")
    children = cloud.call("DescribeAlarms", ChildrenOfAlarmName="two")
    assert [one["AlarmName"] for one in children["CompositeAlarms"]] == ["one"]
    parents = cloud.call("DescribeAlarms", ParentsOfAlarmName="one")
    assert [one["AlarmName"] for one in parents["CompositeAlarms"]] == ["two"]
    refused = cloud.refused("DeleteAlarms", AlarmNames=["a"])
    assert refused.message == "Cannot delete a as there are composite alarm(s) depending on it."


def test_children_and_parents_come_in_pages(cloud: LocalCloud) -> None:
    for name in "abcde":
        put_alarm(cloud, name)
    put_composite(cloud, "of-all", " OR ".join(f"ALARM({name})" for name in "edcba"))
    for number in range(4):
        put_composite(cloud, f"parent{number}", "ALARM(a)")

    def pages(**by: str) -> list[list[str]]:
        found, token = [], None
        while True:
            page = cloud.call("DescribeAlarms", **by, MaxRecords=2, **({"NextToken": token} if token else {}))
            found.append([one["AlarmName"] for one in page["MetricAlarms"] + page["CompositeAlarms"]])
            token = page.get("NextToken")
            if token is None:
                return found

    assert pages(ChildrenOfAlarmName="of-all") == [["a", "b"], ["c", "d"], ["e"]]
    assert pages(ParentsOfAlarmName="a") == [["of-all", "parent0"], ["parent1", "parent2"], ["parent3"]]
    assert pages(ParentsOfAlarmName="nobody") == [[]]
    refused = cloud.refused("DescribeAlarms", ParentsOfAlarmName="a", NextToken="?")
    assert refused.code == "InvalidNextToken"


def test_an_alarm_is_part_of_150_composite_alarms(cloud: LocalCloud) -> None:
    put_alarm(cloud, "a")
    for number in range(150):
        cloud.call("PutCompositeAlarm", AlarmName=f"c{number}", AlarmRule="ALARM(a)")
    put_composite(cloud, "c149", "OK(a)")
    refused = cloud.refused("PutCompositeAlarm", AlarmName="c150", AlarmRule="ALARM(a)")
    assert refused.code == "LimitExceeded"


def test_an_alarm_suppresses_500_composite_alarms(cloud: LocalCloud) -> None:
    put_alarm(cloud, "a")
    asked = {"AlarmRule": "FALSE", "ActionsSuppressor": "a"}
    asked |= {"ActionsSuppressorWaitPeriod": 1, "ActionsSuppressorExtensionPeriod": 1}
    for number in range(500):
        cloud.call("PutCompositeAlarm", AlarmName=f"s{number}", **asked)
    assert cloud.refused("PutCompositeAlarm", AlarmName="s500", **asked).code == "LimitExceeded"


def test_a_cycle_of_composite_alarms_stands_still(cloud: LocalCloud) -> None:
    put_composite(cloud, "one", "FALSE")
    put_composite(cloud, "two", "NOT ALARM(one)")
    put_composite(cloud, "one", "ALARM(two)")
    assert (state(cloud, "one"), state(cloud, "two")) == ("OK", "ALARM")
    set_state(cloud, "two", "OK")
    cloud.advance(MINUTE)
    assert (state(cloud, "one"), state(cloud, "two")) == ("OK", "OK")
    assert "depending on it" in cloud.refused("DeleteAlarms", AlarmNames=["one"]).message
    put_composite(cloud, "one", "FALSE")
    cloud.call("DeleteAlarms", AlarmNames=["two"])
    cloud.call("DeleteAlarms", AlarmNames=["one"])


@pytest.fixture
def suppressed(cloud: LocalCloud) -> LocalCloud:
    """A composite alarm c that follows a, with s as its suppressor, waiting 20 and extending by 30 seconds."""
    arn, _ = topic(cloud)
    for name in ("a", "s"):
        put_alarm(cloud, name, MetricName=name, TreatMissingData="ignore")
        set_state(cloud, name, "OK")
    put_composite(
        cloud,
        "c",
        "ALARM(a)",
        AlarmActions=[arn],
        ActionsSuppressor="s",
        ActionsSuppressorWaitPeriod=20,
        ActionsSuppressorExtensionPeriod=30,
    )
    cloud.advance(20)
    return cloud


def by(cloud: LocalCloud) -> str | None:
    return alarm(cloud, "c").get("ActionsSuppressedBy")


def acted(cloud: LocalCloud) -> int:
    """Return how often the composite alarm has acted."""
    cloud.advance(0)
    return len(history(cloud, "Action", AlarmName="c"))


def test_suppression_ends_with_the_wait_period(suppressed: LocalCloud) -> None:
    set_state(suppressed, "a", "ALARM")
    assert by(suppressed) == "WaitPeriod"
    suppressed.advance(19)
    assert (by(suppressed), acted(suppressed)) == ("WaitPeriod", 0)
    suppressed.advance(1)
    assert by(suppressed) is None
    actions(suppressed, 1)


def test_suppression_by_the_alarm(suppressed: LocalCloud) -> None:
    set_state(suppressed, "a", "ALARM")
    suppressed.advance(10)
    set_state(suppressed, "s", "ALARM")
    assert by(suppressed) == "Alarm"
    suppressed.advance(HOUR)
    assert (by(suppressed), acted(suppressed)) == ("Alarm", 0)
    set_state(suppressed, "s", "OK")
    assert by(suppressed) == "ExtensionPeriod"
    suppressed.advance(29)
    assert acted(suppressed) == 0
    suppressed.advance(1)
    assert by(suppressed) is None
    actions(suppressed, 1)


def test_a_change_in_the_extension_period_waits_anew(suppressed: LocalCloud) -> None:
    set_state(suppressed, "s", "ALARM")
    set_state(suppressed, "a", "ALARM")
    assert by(suppressed) == "Alarm"
    set_state(suppressed, "s", "OK")
    suppressed.advance(10)
    set_state(suppressed, "a", "OK")
    assert by(suppressed) == "WaitPeriod"
    suppressed.advance(20)
    assert by(suppressed) is None
    # There are no actions for OK.
    assert acted(suppressed) == 0


def test_a_change_in_the_wait_period_waits_anew(suppressed: LocalCloud) -> None:
    set_state(suppressed, "a", "ALARM")
    suppressed.advance(15)
    set_state(suppressed, "a", "OK")
    set_state(suppressed, "a", "ALARM")
    suppressed.advance(19)
    assert (by(suppressed), acted(suppressed)) == ("WaitPeriod", 0)
    suppressed.advance(1)
    actions(suppressed, 1)


def test_another_suppressor_ends_what_the_one_before_held_up(suppressed: LocalCloud) -> None:
    set_state(suppressed, "a", "ALARM")
    put_composite(suppressed, "c", "ALARM(a)")
    assert by(suppressed) is None


# -- mute rules


def mute(cloud: LocalCloud, name: str = "night", **more: Any) -> None:
    expression = more.pop("expression", "cron(0 * * * *)")
    rule = {"Schedule": {"Expression": expression, "Duration": more.pop("duration", "PT30M")}}
    cloud.call("PutAlarmMuteRule", Name=name, Rule=rule, MuteTargets={"AlarmNames": ["high"]}, **more)


def test_muted_actions_follow_when_the_alarm_is_still_in_its_state(cloud: LocalCloud) -> None:
    arn, _ = topic(cloud)
    put_alarm(cloud, AlarmActions=[arn], TreatMissingData="ignore")
    mute(cloud)
    assert cloud.call("GetAlarmMuteRule", AlarmMuteRuleName="night")["Status"] == "ACTIVE"
    set_state(cloud, "high", "ALARM")
    cloud.advance(29 * MINUTE)
    assert history(cloud, "Action") == []
    cloud.advance(MINUTE)
    assert cloud.call("GetAlarmMuteRule", AlarmMuteRuleName="night")["Status"] == "SCHEDULED"
    assert len(actions(cloud, 1)) == 1


def test_muted_actions_do_not_follow_for_a_state_that_is_over(cloud: LocalCloud) -> None:
    arn, _ = topic(cloud)
    put_alarm(cloud, AlarmActions=[arn], TreatMissingData="ignore")
    mute(cloud)
    set_state(cloud, "high", "ALARM")
    set_state(cloud, "high", "OK")
    cloud.advance(40 * MINUTE)
    assert history(cloud, "Action") == []
    set_state(cloud, "high", "ALARM")
    assert len(actions(cloud, 1)) == 1


def test_what_a_mute_rule_holds_back_follows_when_it_is_deleted(cloud: LocalCloud) -> None:
    arn, _ = topic(cloud)
    put_alarm(cloud, AlarmActions=[arn], TreatMissingData="ignore")
    mute(cloud, duration="P1D")
    set_state(cloud, "high", "ALARM")
    cloud.call("DeleteAlarmMuteRule", AlarmMuteRuleName="night")
    cloud.advance(0)
    assert len(actions(cloud, 1)) == 1
    assert cloud.refused("GetAlarmMuteRule", AlarmMuteRuleName="night").code == "ResourceNotFoundException"


def test_what_is_muted_and_suppressed_waits_for_both(suppressed: LocalCloud) -> None:
    rule = {"Schedule": {"Expression": "cron(* * * * *)", "Duration": "PT1H"}}
    suppressed.call("PutAlarmMuteRule", Name="now", Rule=rule, MuteTargets={"AlarmNames": ["c"]})
    set_state(suppressed, "a", "ALARM")
    suppressed.advance(20)
    assert (by(suppressed), acted(suppressed)) == (None, 0)
    set_state(suppressed, "a", "OK")
    set_state(suppressed, "s", "ALARM")
    set_state(suppressed, "a", "ALARM")
    suppressed.call("DeleteAlarmMuteRule", AlarmMuteRuleName="now")
    suppressed.advance(MINUTE)
    assert (by(suppressed), acted(suppressed)) == ("Alarm", 0)
    set_state(suppressed, "s", "OK")
    suppressed.advance(30)
    actions(suppressed, 1)


def test_mute_rules_are_listed(cloud: LocalCloud) -> None:
    put_alarm(cloud)
    mute(cloud, "a", expression="at(2020-01-01T00:00)")
    mute(cloud, "b")
    mute(cloud, "c", StartDate=cloud.now + DAY)
    mute(cloud, "d", ExpireDate=cloud.now + 1)
    cloud.advance(2)

    def listed(**filters: Any) -> list[tuple[str, str]]:
        found = cloud.call("ListAlarmMuteRules", **filters)["AlarmMuteRuleSummaries"]
        return [(one["AlarmMuteRuleArn"].rpartition(":")[2], one["Status"]) for one in found]

    every = [("a", "EXPIRED"), ("b", "ACTIVE"), ("c", "SCHEDULED"), ("d", "EXPIRED")]
    assert listed() == every
    assert listed(Statuses=["EXPIRED"]) == [every[0], every[3]]
    assert listed(AlarmName="high") == every
    assert listed(AlarmName="other") == []
    page = cloud.call("ListAlarmMuteRules", MaxRecords=3)
    assert len(page["AlarmMuteRuleSummaries"]) == 3
    assert listed(MaxRecords=3, NextToken=page["NextToken"]) == every[3:]
    unknown = {"AlarmNames": ["unknown"]}
    rule = {"Schedule": {"Expression": "cron(0 * * * *)", "Duration": "PT30M"}}
    refused = cloud.refused("PutAlarmMuteRule", Name="x", Rule=rule, MuteTargets=unknown)
    assert refused.code == "ValidationException"
    rule["Schedule"]["Expression"] = "hourly"
    assert "hourly is neither cron" in cloud.refused("PutAlarmMuteRule", Name="x", Rule=rule).message


# -- history


def test_history_of_settings_is_kept_for_two_weeks_and_beyond_the_alarm(cloud: LocalCloud) -> None:
    put_alarm(cloud)
    put_alarm(cloud, Threshold=20.0)
    cloud.call("DeleteAlarms", AlarmNames=["high", "unknown"])
    found = history(cloud, "ConfigurationUpdate", AlarmName="high")
    assert [item["HistorySummary"] for item in found] == [
        'Alarm "high" created',
        'Alarm "high" updated',
        'Alarm "high" deleted',
    ]
    assert json.loads(found[1]["HistoryData"])["updatedAlarm"]["threshold"] == 20
    pages = []
    token: dict[str, Any] = {}
    while True:
        answer = cloud.call("DescribeAlarmHistory", AlarmName="high", MaxRecords=2, **token)
        pages.append([item["HistorySummary"] for item in answer["AlarmHistoryItems"]])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert [len(page) for page in pages] == [2, 1]
    assert pages[0][0] == 'Alarm "high" deleted'
    assert history(cloud, "ConfigurationUpdate", StartDate=cloud.now + 1) == []
    cloud.advance(15 * DAY)
    assert history(cloud, "ConfigurationUpdate", AlarmName="high") == []
