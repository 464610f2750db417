"""Application Auto Scaling and a table of DynamoDB, over a real socket."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.standing import eventually

READ = "dynamodb:table:ReadCapacityUnits"
WRITE = "dynamodb:table:WriteCapacityUnits"
TABLE = {"ServiceNamespace": "dynamodb", "ResourceId": "table/tab", "ScalableDimension": READ}
TRACKING = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
}
METRIC = {"Namespace": "N", "MetricName": "m", "Statistic": "Average"}
CUSTOMIZED = {"TargetValue": 10.0, "CustomizedMetricSpecification": METRIC}


class ScalingCloud:
    """Clients of one account, and what tests do with them again and again."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.account = aws.account
        self.scaling: Any = aws.client("application-autoscaling")
        self.dynamodb: Any = aws.client("dynamodb")
        self.cloudwatch: Any = aws.client("cloudwatch")

    def create_table(self, units: int = 5, **more: Any) -> None:
        self.dynamodb.create_table(
            TableName="tab",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": units, "WriteCapacityUnits": units},
            **more,
        )
        self.dynamodb.get_waiter("table_exists").wait(TableName="tab", WaiterConfig={"Delay": 1})

    def register(self, minimum: int = 1, maximum: int = 100, **more: Any) -> str:
        params = {**TABLE, "MinCapacity": minimum, "MaxCapacity": maximum, **more}
        arn: str = self.scaling.register_scalable_target(**params)["ScalableTargetARN"]
        return arn

    def track(self, config: dict[str, Any] | None = None, name: str = "p", **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.scaling.put_scaling_policy(
            **TABLE,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={**(config or TRACKING), **more},
        )
        return answer

    @property
    def units(self) -> tuple[int, int]:
        """The table's capacity to read and to write."""
        found = self.dynamodb.describe_table(TableName="tab")["Table"]["ProvisionedThroughput"]
        return found["ReadCapacityUnits"], found["WriteCapacityUnits"]

    @property
    def target(self) -> dict[str, Any]:
        found: dict[str, Any] = self.scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"][
            0
        ]
        return found

    def activities(self, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.scaling.describe_scaling_activities(ServiceNamespace="dynamodb", **more)[
            "ScalingActivities"
        ]
        return found

    def wait_for(self, description: str, state: str = "Successful") -> dict[str, Any]:
        """Return the newest activity, once it is what is waited for."""
        return eventually(
            lambda: (self.activities() or [{}])[0],
            lambda one: (one.get("Description"), one.get("StatusCode")) == (description, state),
        )

    def alarms(self) -> dict[str, dict[str, Any]]:
        """Return the alarms of policies by the names of their roles."""
        found = self.cloudwatch.describe_alarms(AlarmNamePrefix="TargetTracking-table/tab-")["MetricAlarms"]
        return {alarm["AlarmName"].removeprefix("TargetTracking-table/tab-").split("-")[0]: alarm for alarm in found}

    def put_metric(self, value: float) -> None:
        self.cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": value}])

    def ring(self, role: str, state: str = "ALARM") -> None:
        name = self.alarms()[role]["AlarmName"]
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
