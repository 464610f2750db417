"""What alarms tell EventBridge and functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.services.cloudwatch import alarm_events
from cloudlet.services.cloudwatch.alarm import Alarm, AlarmState
from cloudlet.services.cloudwatch.outbox import Action
from cloudlet.testing.server import Aws, Server
from tests.services.cloudwatch.local import ACCOUNT, REGION, LocalCloud
from tests.services.lambda_.cloud import RUNTIME, FunctionCloud, package, role_of
from tests.services.sns.cloud import local_sns

ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"
SETTINGS: dict[str, Any] = {
    "Namespace": "N",
    "MetricName": "m",
    "Dimensions": [{"Name": "Server", "Value": "prod"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 10.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "ignore",
}
METRICS = [
    {
        "id": "m1",
        "metricStat": {
            "metric": {"namespace": "N", "name": "m", "dimensions": {"Server": "prod"}},
            "period": 60,
            "stat": "Sum",
        },
        "returnData": True,
    }
]


class Bus:
    """The default bus of a cloud, of which a queue gets what CloudWatch puts there."""

    def __init__(self, cloud: LocalCloud, **pattern: Any) -> None:
        self._cloud = cloud
        self._url = cloud.call("CreateQueue", service="sqs", QueueName="bus")["QueueUrl"]
        text = json.dumps({"source": ["aws.cloudwatch"], **pattern})
        cloud.call("PutRule", service="events", Name="r", EventPattern=text)
        target = {"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:bus"}
        cloud.call("PutTargets", service="events", Rule="r", Targets=[target])

    def heard(self, count: int) -> list[dict[str, Any]]:
        """Return so many events, once they are there, in the order in which they happened."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            params = {"QueueUrl": self._url, "MaxNumberOfMessages": 10}
            for message in self._cloud.call("ReceiveMessage", service="sqs", **params).get("Messages", []):
                found.append(json.loads(message["Body"]))
                receipt = message["ReceiptHandle"]
                self._cloud.call("DeleteMessage", service="sqs", QueueUrl=self._url, ReceiptHandle=receipt)
            return len(found) >= count

        self._cloud.until(look)
        assert len(found) == count
        return found


def put(cloud: LocalCloud, name: str = "high", **more: Any) -> None:
    cloud.call("PutMetricAlarm", AlarmName=name, **{**SETTINGS, **more})


def set_state(cloud: LocalCloud, value: str, name: str = "high", **more: Any) -> None:
    cloud.call("SetAlarmState", AlarmName=name, StateValue=value, StateReason=f"now {value}", **more)
    cloud.advance(0)


def test_eventbridge_is_told_of_a_change_of_state(cloud: LocalCloud) -> None:
    bus = Bus(cloud, **{"detail-type": ["CloudWatch Alarm State Change"]})
    put(cloud, AlarmDescription="Too much")
    set_state(cloud, "ALARM", StateReasonData='{"a":1}')
    (event,) = bus.heard(1)
    assert (event["source"], event["account"], event["region"]) == ("aws.cloudwatch", ACCOUNT, REGION)
    assert event["resources"] == [f"{ARN}high"]
    detail = event["detail"]
    assert detail["state"].pop("timestamp").endswith("+0000")
    assert detail["previousState"].pop("timestamp").endswith("+0000")
    assert detail == {
        "alarmName": "high",
        "state": {"value": "ALARM", "reason": "now ALARM", "reasonData": '{"a":1}'},
        "previousState": {"value": "INSUFFICIENT_DATA", "reason": "Unchecked: Initial alarm creation"},
        "configuration": {"description": "Too much", "metrics": METRICS},
    }


def test_eventbridge_is_told_of_what_is_done_to_an_alarm(cloud: LocalCloud) -> None:
    bus = Bus(cloud, **{"detail-type": ["CloudWatch Alarm Configuration Change"]})
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
    put(cloud, AlarmActions=[topic], DatapointsToAlarm=1)
    put(cloud, Threshold=20.0)
    cloud.call("DisableAlarmActions", AlarmNames=["high"])
    cloud.call("DeleteAlarms", AlarmNames=["high"])
    details = [event["detail"] for event in bus.heard(4)]
    assert [detail["operation"] for detail in details] == ["create", "update", "update", "delete"]
    for detail in details:
        assert detail["alarmName"] == "high"
        assert detail["state"].keys() == {"value", "reason", "timestamp"}
        assert detail["configuration"].pop("timestamp").endswith("+0000")
    common = {
        "alarmName": "high",
        "evaluationPeriods": 1,
        "comparisonOperator": "GreaterThanThreshold",
        "treatMissingData": "ignore",
        "metrics": METRICS,
        "okActions": [],
        "insufficientDataActions": [],
    }
    first = {**common, "threshold": 10.0, "datapointsToAlarm": 1, "alarmActions": [topic], "actionsEnabled": True}
    second = {**common, "threshold": 20.0, "alarmActions": [], "actionsEnabled": True}
    third = {**second, "actionsEnabled": False}
    assert [detail["configuration"] for detail in details] == [first, second, third, third]
    previous = [detail.get("previousConfiguration") for detail in details]
    assert (previous[0], previous[3]) == (None, None)
    for one, expected in ((previous[1], first), (previous[2], second)):
        assert {name: value for name, value in one.items() if name != "timestamp"} == expected


def test_a_composite_alarm_tells_what_suppresses_its_actions(cloud: LocalCloud) -> None:
    bus = Bus(cloud, detail={"alarmName": ["c"]}, **{"detail-type": ["CloudWatch Alarm State Change"]})
    put(cloud, "child")
    put(cloud, "quiet")
    cloud.call(
        "PutCompositeAlarm",
        AlarmName="c",
        AlarmRule="ALARM(child)",
        ActionsSuppressor="quiet",
        ActionsSuppressorWaitPeriod=20,
        ActionsSuppressorExtensionPeriod=30,
    )
    cloud.advance(0)
    cloud.advance(20)
    set_state(cloud, "ALARM", "child")
    cloud.advance(20)
    *_, waiting, released = (event["detail"] for event in bus.heard(4))
    by = {
        "actionsSuppressedBy": "WaitPeriod",
        "actionsSuppressedReason": "Actions suppressed by WaitPeriod of 20 seconds",
    }
    assert by.items() <= waiting["state"].items()
    assert (waiting["previousState"]["value"], waiting["state"]["value"]) == ("OK", "ALARM")
    assert by.items() <= released["previousState"].items()
    assert (released["previousState"]["value"], released["state"]["value"]) == ("ALARM", "ALARM")
    assert not by.keys() & released["state"].keys()
    assert released["configuration"] == {
        "alarmRule": "ALARM(child)",
        "actionsSuppressor": "quiet",
        "actionsSuppressorWaitPeriod": 20,
        "actionsSuppressorExtensionPeriod": 30,
    }


def test_users_cannot_put_events_of_cloudwatch(aws: Aws) -> None:
    entry = {"Source": "aws.cloudwatch", "DetailType": "CloudWatch Alarm State Change", "Detail": "{}"}
    (answer,) = aws.client("events").put_events(Entries=[entry])["Entries"]
    assert answer["ErrorCode"] == "NotAuthorizedForSourceException"


def test_what_happens_while_eventbridge_is_down_is_told_after_a_crash(tmp_path: Path) -> None:
    account = "123456789012"
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        queue = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        events = aws.client("events")
        events.put_rule(Name="r", EventPattern='{"source":["aws.cloudwatch"],"detail":{"state":{"value":["ALARM"]}}}')
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:{account}:q"}])
        cloudwatch = aws.client("cloudwatch")
        cloudwatch.put_metric_alarm(AlarmName="high", **SETTINGS)
        cloudwatch.set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="test")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        sqs = Aws(server.endpoint, account).client("sqs")
        (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
        assert json.loads(message["Body"])["detail"]["state"]["value"] == "ALARM"


def test_a_function_is_an_action(aws: Aws) -> None:
    functions = FunctionCloud(aws)
    functions.function()
    queue = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    told: Any = {"OnSuccess": {"Destination": f"arn:aws:sqs:us-east-1:{aws.account}:q"}}
    functions.client.put_function_event_invoke_config(FunctionName="f", DestinationConfig=told)
    functions.client.add_permission(
        FunctionName="f",
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
    )
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="high", AlarmActions=[functions.arn()], **SETTINGS)
    cloudwatch.set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="test")
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    event = json.loads(message["Body"])["requestPayload"]
    assert (event["source"], event["accountId"]) == ("aws.cloudwatch", aws.account)
    data = event["alarmData"]
    assert (data["state"]["value"], data["previousState"]["value"]) == ("ALARM", "INSUFFICIENT_DATA")
    assert data["configuration"] == {"metrics": METRICS}


def test_a_function_admits_alarms_by_the_principal_that_they_have(tmp_path: Path) -> None:
    with local_sns(tmp_path, "strict") as local:
        role = role_of(ACCOUNT)
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        named = role.rpartition("/")[2]
        local.call("CreateRole", service="iam", RoleName=named, AssumeRolePolicyDocument=document)
        code = {"Code": {"ZipFile": package()}, "Runtime": RUNTIME, "Role": role, "Handler": "index.handler"}
        function = local.call("CreateFunction", service="lambda", FunctionName="f", **code)["FunctionArn"]

        def is_active() -> bool:
            found = local.call("GetFunctionConfiguration", service="lambda", FunctionName="f")
            return bool(found["State"] == "Active")

        local.until(is_active)
        local.call("PutMetricAlarm", service="cloudwatch", AlarmName="high", AlarmActions=[function], **SETTINGS)

        def summaries() -> list[str]:
            more = {"HistoryItemType": "Action", "ScanBy": "TimestampAscending"}
            items = local.call("DescribeAlarmHistory", service="cloudwatch", **more)["AlarmHistoryItems"]
            return [item["HistorySummary"] for item in items]

        def ring() -> str:
            before = len(summaries())
            for state in ("OK", "ALARM"):
                change = {"AlarmName": "high", "StateValue": state, "StateReason": "test"}
                local.call("SetAlarmState", service="cloudwatch", **change)
            local.until(lambda: len(summaries()) > before)
            return summaries()[-1]

        assert ring().startswith(f"Failed to execute action {function}")
        for number, principal in enumerate(("cloudwatch.amazonaws.com", "lambda.alarms.cloudwatch.amazonaws.com")):
            local.call(
                "AddPermission",
                service="lambda",
                FunctionName="f",
                StatementId=str(number),
                Action="lambda:InvokeFunction",
                Principal=principal,
                SourceArn=f"{ARN}high",
            )
            assert ring().startswith("Successfully" if number else "Failed")


def test_actions_wait_for_a_block_that_is_down(tmp_path: Path) -> None:
    account = "123456789012"
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        queue = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        topic = aws.client("sns").create_topic(Name="t")["TopicArn"]
        endpoint = f"arn:aws:sqs:us-east-1:{account}:q"
        aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint)
        aws.client("cloudwatch").put_metric_alarm(AlarmName="high", AlarmActions=[topic], **SETTINGS)
    with Server.start("--data", str(tmp_path), "--services", "cloudwatch,sts") as server:
        cloudwatch = Aws(server.endpoint, account).client("cloudwatch")
        cloudwatch.set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="test")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        sqs = Aws(server.endpoint, account).client("sqs")
        (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
        assert "ALARM" in json.loads(message["Body"])["Subject"]


@pytest.mark.parametrize("previous", [AlarmState("OK", "calm", None, 90.0), None])
def test_a_function_is_told_what_the_user_guide_shows(previous: AlarmState | None) -> None:
    config = {**SETTINGS, "AlarmDescription": "Too much", "AlarmActions": ["arn:aws:lambda:…"]}
    alarm = Alarm(ACCOUNT, REGION, "high", "MetricAlarm", config, 1.0, "ALARM", "hot", '{"a":1}', 100.0, 100.0)
    told = alarm_events.for_function(Action("id", "arn", alarm, previous, 100.5))
    time = "1970-01-01T00:01:40.500+0000"
    expected: dict[str, Any] = {
        "source": "aws.cloudwatch",
        "alarmArn": f"{ARN}high",
        "accountId": ACCOUNT,
        "time": time,
        "region": REGION,
        "alarmData": {
            "alarmName": "high",
            "state": {"value": "ALARM", "reason": "hot", "reasonData": '{"a":1}', "timestamp": time},
            "configuration": {"description": "Too much", "metrics": METRICS},
        },
    }
    if previous is None:
        expected["alarmData"]["state"]["timestamp"] = "1970-01-01T00:01:40.000+0000"
    else:
        before = {"value": "OK", "reason": "calm", "timestamp": "1970-01-01T00:01:30.000+0000"}
        expected["alarmData"]["previousState"] = before
    assert told == expected
