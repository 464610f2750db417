"""What the JSON of a universal target means, by the models of the services."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core import Arn, AwsError
from cloudlet.services.scheduler.universal import call_of


def _arn(action: str) -> Arn:
    return Arn.parse(f"arn:aws:scheduler:::aws-sdk:{action}")


@pytest.mark.parametrize(
    ("action", "given", "call"),
    [
        (
            "lambda:invoke",
            '{"FunctionName":"f","InvocationType":"Event","Payload":"{\\"a\\":1}"}',
            ("lambda", "Invoke", {"FunctionName": "f", "InvocationType": "Event", "Payload": b'{"a":1}'}),
        ),
        (
            "eventbridge:putEvents",
            '{"Entries":[{"Source":"s","DetailType":"t","Detail":"{}","Time":"2030-01-01T00:00:00Z"}]}',
            (
                "events",
                "PutEvents",
                {"Entries": [{"Source": "s", "DetailType": "t", "Detail": "{}", "Time": 1893456000.0}]},
            ),
        ),
        (
            "cloudwatch:putMetricData",
            '{"Namespace":"n","MetricData":[{"MetricName":"m","Value":1,"Timestamp":5}]}',
            (
                "cloudwatch",
                "PutMetricData",
                {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1, "Timestamp": 5.0}]},
            ),
        ),
        (
            "cloudwatchlogs:putRetentionPolicy",
            '{"LogGroupName":"g","RetentionInDays":7}',
            ("logs", "PutRetentionPolicy", {"logGroupName": "g", "retentionInDays": 7}),
        ),
        (
            "dynamodb:deleteItem",
            '{"TableName":"table","Key":{"k":{"S":"a"}}}',
            ("dynamodb", "DeleteItem", {"TableName": "table", "Key": {"k": {"S": "a"}}}),
        ),
        (
            "s3:deleteObject",
            '{"Bucket":"bucket","Key":"k"}',
            ("s3", "DeleteObject", {"Bucket": "bucket", "Key": "k"}),
        ),
        ("sqs:purgeQueue", '{"QueueUrl":"u","Nothing":null}', None),
        ("sqs:purgeQueue", "[]", None),
        ("sqs:purgeQueue", '{"QueueUrl":["u"]}', None),
        ("sqs:sendMessage", '{"QueueUrl":"u","MessageBody":"m","DelaySeconds":"soon"}', None),
        ("cloudwatchlogs:putRetentionPolicy", '{"LogGroupName":"g","RetentionInDays":"7"}', None),
        ("eventbridge:putEvents", '{"Entries":[{"Time":"yesterday"}]}', None),
    ],
)
def test_json_becomes_the_parameters_of_an_operation(
    action: str, given: str, call: tuple[str, str, dict[str, Any]] | None
) -> None:
    if call is not None:
        assert call_of(_arn(action), given) == call
        return
    with pytest.raises(AwsError) as caught:
        call_of(_arn(action), given)
    assert caught.value.code in ("ValidationException", "SerializationException")
