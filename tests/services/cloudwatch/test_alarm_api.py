"""Alarms through boto3: what is refused, lists, tags; and one that rings through SNS when the clock is moved."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.s3.own_work import told
from tests.standing import Standing, eventually

SIMPLE: dict[str, Any] = {
    "AlarmName": "high",
    "Namespace": "Shop",
    "MetricName": "Errors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


def query(id: str, **more: Any) -> dict[str, Any]:
    of = {"Namespace": "Shop", "MetricName": id}
    return {"Id": id, "MetricStat": {"Metric": of, "Period": 60, "Stat": "Sum"}, "ReturnData": False, **more}


def math(*queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    names = ("AlarmName", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    return {**{name: SIMPLE[name] for name in names}, "Metrics": list(queries), **more}


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {**{name: value for name, value in SIMPLE.items() if name not in names}, **more}


def refusal(call: Any, **params: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    (without("MetricName"), "The parameter MetricName is required"),
    (without("Threshold"), "The parameter Threshold is required"),
    (without("Statistic"), "Exactly one of the parameters Statistic and ExtendedStatistic must be specified."),
    (without(ExtendedStatistic="p99"), "Exactly one of the parameters Statistic and ExtendedStatistic"),
    (
        without("Statistic", ExtendedStatistic="p101"),
        "The value p101 for parameter ExtendedStatistic is not supported.",
    ),
    (without(Period=45), "The value 45 for parameter Period must be 10, 20, 30 or a multiple of 60."),
    (
        without(EvaluationPeriods=1441),
        "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
    ),
    (without(Period=3600, EvaluationPeriods=169), "more than seven days"),
    (without(DatapointsToAlarm=2), "DatapointsToAlarm must be less than or equal to EvaluationPeriods."),
    (without(TreatMissingData="maybe"), "The value maybe for parameter TreatMissingData is not supported."),
    (without(EvaluateLowSampleCountPercentile="x"), "EvaluateLowSampleCountPercentile is not supported."),
    (without(AlarmActions=["ring"]), "Invalid arn syntax: ring"),
    (without(AlarmName="a\tb"), "must not contain ASCII control characters"),
    (without(Metrics=[query("m1", ReturnData=True)]), "The parameters Metrics and MetricName are mutually exclusive."),
    (math(query("m1")), "Exactly one element of the Metrics list should return data."),
    (math({"Id": "e", "Expression": "m1 * x"}, query("m1")), "Error in expression 'e': Unknown identifier 'x'"),
    (math({"Id": "e", "Expression": "[m1, m1]"}, query("m1")), "Error in expression 'e': An alarm watches a single"),
    (math({"Id": "e", "Expression": "AVG(m1)"}, query("m1")), "Error in expression 'e': An alarm watches a single"),
    (math({"Id": "e", "Expression": "SUM(SEARCH('a', 'Sum', 60))"}, query("m1")), "SEARCH is not supported in alarms"),
    (
        math({"Id": "e", "Expression": "m1", "Period": 300}, query("m1")),
        "All metrics and expressions of the Metrics list must have the same period.",
    ),
    (
        math({"Id": "e", "Expression": "TIME_SERIES(1)"}),
        "The parameter Period is required for an expression without metrics.",
    ),
    (math({"Id": "e", "Expression": "m1"}, *(query(f"m{n}") for n in range(11))), "can have 10 metrics"),
]


@pytest.mark.parametrize(("params", "said"), REFUSED, ids=[case[1] for case in REFUSED])
def test_metric_alarms_that_are_refused(cw: Any, params: dict[str, Any], said: str) -> None:
    status, code, message = refusal(cw.put_metric_alarm, **params)
    assert (status, code) == (400, "ValidationError")
    assert said in message


NOT_BUILT: list[tuple[dict[str, Any], str]] = [
    (without(ComparisonOperator="LessThanLowerThreshold"), "anomaly detection"),
    (without(WarmUpConfiguration={"WarmUpPeriodDurationInMinutes": 5}), "warm-up periods"),
    (without(EvaluationWindow={"WallClockWindow": {}}), "wall clock windows"),
    (math({"Id": "e", "Expression": "ANOMALY_DETECTION_BAND(m1)"}, query("m1")), "ANOMALY_DETECTION_BAND"),
    (math({"Id": "e", "Expression": "SELECT AVG(x) FROM y GROUP BY z", "Period": 60}), "several time series"),
]


@pytest.mark.parametrize(("params", "what"), NOT_BUILT, ids=[case[1] for case in NOT_BUILT])
def test_alarms_that_are_not_built_say_so(cw: Any, params: dict[str, Any], what: str) -> None:
    status, code, message = refusal(cw.put_metric_alarm, **params)
    assert (status, code) == (501, "NotImplemented")
    assert what in message


def test_composite_alarms_that_are_refused(cw: Any) -> None:
    cw.put_metric_alarm(**SIMPLE)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"AlarmRule": "ALARM(high"}, "AlarmRule must be a valid expression: Unexpected"),
        ({"AlarmRule": "ALARM(none)"}, "as alarms [none] in the alarm rule do not exist"),
        ({"AlarmRule": "TRUE", "ActionsSuppressor": "high"}, "must be specified together"),
        (
            {
                "AlarmRule": "TRUE",
                "ActionsSuppressor": "none",
                "ActionsSuppressorWaitPeriod": 1,
                "ActionsSuppressorExtensionPeriod": 1,
            },
            "as alarm none in the actions suppressor does not exist",
        ),
    ]
    for params, said in cases:
        status, code, message = refusal(cw.put_composite_alarm, AlarmName="c", **params)
        assert (status, code) == (400, "ValidationError")
        assert said in message
    assert "another type" in refusal(cw.put_composite_alarm, AlarmName="high", AlarmRule="TRUE")[2]


def test_an_alarm_is_shown_as_it_was_put(cw: Any, aws: Aws) -> None:
    before = datetime.now(UTC)
    dimensions = [{"Name": "Server", "Value": "prod"}]
    cw.put_metric_alarm(**SIMPLE, Dimensions=dimensions, AlarmDescription="Too many", TreatMissingData="ignore")
    [shown] = cw.describe_alarms()["MetricAlarms"]
    times = [
        shown.pop(f"{name}Timestamp") for name in ("StateUpdated", "StateTransitioned", "AlarmConfigurationUpdated")
    ]
    assert all(abs((time - before).total_seconds()) < 60 for time in times)
    assert shown == {
        **SIMPLE,
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:{aws.account}:alarm:high",
        "AlarmDescription": "Too many",
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation",
        "Dimensions": dimensions,
        "TreatMissingData": "ignore",
    }
    cw.put_composite_alarm(AlarmName="c", AlarmRule="ALARM(high)")
    [composite] = cw.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert composite["AlarmRule"] == "ALARM(high)"
    assert "Children" not in composite


def test_lists_of_alarms(cw: Any, aws: Aws) -> None:
    ring = f"arn:aws:sns:us-east-1:{aws.account}:ring"
    for name, actions in (("a1", [ring]), ("a2", []), ("b1", [])):
        cw.put_metric_alarm(**{**SIMPLE, "AlarmName": name, "AlarmActions": actions})
    cw.put_composite_alarm(AlarmName="c1", AlarmRule="FALSE")

    def names(**filters: Any) -> list[str]:
        found = cw.describe_alarms(**filters)
        return [one["AlarmName"] for one in (*found["MetricAlarms"], *found["CompositeAlarms"])]

    assert names() == ["a1", "a2", "b1"]
    assert names(AlarmTypes=["MetricAlarm", "CompositeAlarm"]) == ["a1", "a2", "b1", "c1"]
    assert names(AlarmNamePrefix="a") == ["a1", "a2"]
    assert names(AlarmNames=["b1", "a1", "x", "a1"]) == ["b1", "a1"]
    assert names(ActionPrefix=ring) == ["a1"]
    assert names(StateValue="ALARM") == []
    pages = cw.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2})
    assert [[one["AlarmName"] for one in page["MetricAlarms"]] for page in pages] == [["a1", "a2"], ["b1"]]
    assert refusal(cw.describe_alarms, AlarmNames=["a"], AlarmNamePrefix="a")[1] == "ValidationError"
    assert refusal(cw.describe_alarms, NextToken="nonsense!")[1] == "InvalidNextToken"
    on = {"Namespace": "Shop", "MetricName": "Errors"}
    assert len(cw.describe_alarms_for_metric(**on, Statistic="Sum", Period=60)["MetricAlarms"]) == 3
    assert cw.describe_alarms_for_metric(**on, Dimensions=[{"Name": "a", "Value": "b"}])["MetricAlarms"] == []
    cw.delete_alarms(AlarmNames=["a1", "a2", "none"])
    assert names() == ["b1"]


def test_tags(cw: Any) -> None:
    cw.put_metric_alarm(**SIMPLE, Tags=[{"Key": "team", "Value": "shop"}])
    arn = cw.describe_alarms()["MetricAlarms"][0]["AlarmArn"]

    def tags() -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in cw.list_tags_for_resource(ResourceARN=arn)["Tags"]}

    cw.tag_resource(ResourceARN=arn, Tags=[{"Key": "stage", "Value": "test"}, {"Key": "team", "Value": "ops"}])
    assert tags() == {"team": "ops", "stage": "test"}
    cw.untag_resource(ResourceARN=arn, TagKeys=["team", "none"])
    assert tags() == {"stage": "test"}
    reserved = [{"Key": "aws:x", "Value": ""}]
    assert refusal(cw.tag_resource, ResourceARN=arn, Tags=reserved)[1] == "InvalidParameterValue"
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert refusal(cw.tag_resource, ResourceARN=arn, Tags=many)[1] == "InvalidParameterValue"
    tag = {"Key": "a", "Value": "b"}
    assert refusal(cw.tag_resource, ResourceARN=arn + "x", Tags=[tag])[:2] == (404, "ResourceNotFoundException")
    gone = arn.replace(":alarm:high", ":alarm-mute-rule:none")
    assert refusal(cw.list_tags_for_resource, ResourceARN=gone)[:2] == (404, "ResourceNotFoundException")
    for wrong in ("no-arn-at-all-but-long-enough", "arn:aws:sqs:us-east-1:111122223333:queue"):
        assert refusal(cw.list_tags_for_resource, ResourceARN=wrong)[1] == "InvalidParameterValue"
    cw.delete_alarms(AlarmNames=["high"])
    assert tags() == {}
    cw.put_metric_alarm(**SIMPLE)
    assert tags() == {}


def test_an_alarm_rings_through_a_topic_when_the_time_has_come(standing: Standing, account: Aws) -> None:
    cw, sns, sqs = (account.client(name) for name in ("cloudwatch", "sns", "sqs"))
    topic = sns.create_topic(Name="ring")["TopicArn"]
    url = sqs.create_queue(QueueName="bell")["QueueUrl"]
    queue = f"arn:aws:sqs:{account.region}:{account.account}:bell"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    cw.put_metric_alarm(**SIMPLE, AlarmActions=[topic])
    cw.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Errors", "Value": 2}])
    standing.advance("1m")
    envelope = told(sqs, url)
    assert envelope["Subject"] == 'ALARM: "high" in US East (N. Virginia)'
    assert json.loads(envelope["Message"])["NewStateValue"] == "ALARM"

    def actions() -> list[str]:
        found = cw.describe_alarm_history(AlarmName="high", HistoryItemType="Action")["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in found]

    assert eventually(actions) == [f"Successfully executed action {topic}"]
    standing.advance("23h59m")
    eventually(lambda: cw.describe_alarms(StateValue="INSUFFICIENT_DATA")["MetricAlarms"])


def test_an_action_outlives_a_crash(tmp_path: Path) -> None:
    number = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        cw, sns, sqs = (Aws(server.endpoint, number).client(name) for name in ("cloudwatch", "sns", "sqs"))
        topic = sns.create_topic(Name="ring")["TopicArn"]
        sqs.create_queue(QueueName="bell")
        queue = f"arn:aws:sqs:us-east-1:{number}:bell"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        cw.put_metric_alarm(**SIMPLE, AlarmActions=[topic], TreatMissingData="ignore")
        cw.set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="test")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cw, sqs = (Aws(server.endpoint, number).client(name) for name in ("cloudwatch", "sqs"))
        assert cw.describe_alarms()["MetricAlarms"][0]["StateValue"] == "ALARM"
        url = sqs.get_queue_url(QueueName="bell")["QueueUrl"]
        assert told(sqs, url)["Subject"].startswith('ALARM: "high"')
