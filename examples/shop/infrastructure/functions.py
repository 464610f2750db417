"""The shop's functions on AWS Lambda."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct
from shop import names

from infrastructure import roles
from infrastructure.parameters import Parameters

NAMES = ("thumbnails", "checkout", "history", "tickets", "connections", "progress")


class Functions(Construct):
    def __init__(
        self, scope: Construct, id: str, parameters: Parameters, log: logs.ILogGroup, orders: dynamodb.Table
    ) -> None:
        super().__init__(scope, id)
        bucket = s3.Bucket.from_bucket_name(self, "Artifacts", names.artifacts(Aws.ACCOUNT_ID))
        settings: dict[str, Any] = {
            "runtime": functions.Runtime(parameters.runtime.value_as_string, functions.RuntimeFamily.PYTHON),
            "code": functions.Code.from_bucket(bucket, parameters.code.value_as_string),
            "timeout": Duration.seconds(10),
            "memory_size": 256,
            "tracing": functions.Tracing.ACTIVE,
            "log_group": log,
        }
        self._by_name = {
            name: functions.Function(
                self,
                name,
                function_name=f"shop-{name}",
                handler=f"functions.{name}.handler",
                role=roles.create(self, name, "lambda.amazonaws.com", "service-role/AWSLambdaBasicExecutionRole"),
                **settings,
            )
            for name in NAMES
        }
        # From the beginning of the stream. What cannot be told does not hold up what comes after it.
        start = functions.StartingPosition.TRIM_HORIZON
        self["progress"].add_event_source(sources.DynamoEventSource(orders, starting_position=start, retry_attempts=3))

    def __getitem__(self, name: str) -> functions.Function:
        return self._by_name[name]
