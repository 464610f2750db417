"""The resource types of Amazon CloudWatch Logs."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Name, Part, Properties, ResourceType


def _make_arn(properties: Properties) -> str:
    return "arn:{partition}:logs:{region}:{account}:log-group:{LogGroupName}".format_map(properties)


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::Logs::LogGroup",
        "logs",
        create=Call("CreateLogGroup"),
        read=Call("DescribeLogGroups", {"logGroupNamePrefix": "LogGroupName"}),
        exists=Call("ListTagsForResource", {"resourceArn": _make_arn}),
        parts=(
            Part("RetentionInDays", Call("PutRetentionPolicy"), Call("DeleteRetentionPolicy")),
            Part(
                "DataProtectionPolicy",
                Call(
                    "PutDataProtectionPolicy",
                    {"logGroupIdentifier": "LogGroupName", "policyDocument": "DataProtectionPolicy"},
                ),
                Call("DeleteDataProtectionPolicy", {"logGroupIdentifier": "LogGroupName"}),
            ),
            Part(
                "DeletionProtectionEnabled",
                Call("PutLogGroupDeletionProtection", {"logGroupIdentifier": "LogGroupName"}),
            ),
        ),
        delete=Call("DeleteLogGroup"),
        named=Name("LogGroupName", 512),
        attributes={"Arn": "arn:{partition}:logs:{region}:{account}:log-group:{LogGroupName}:*"},
        tag=Call("TagResource", {"resourceArn": _make_arn}),
    ),
    ResourceType(
        "AWS::Logs::LogStream",
        "logs",
        create=Call("CreateLogStream"),
        delete=Call("DeleteLogStream"),
        named=Name("LogStreamName", 512),
        ref="LogStreamName",
    ),
    ResourceType(
        "AWS::Logs::MetricFilter",
        "logs",
        create=Call("PutMetricFilter"),
        updates=(Call("PutMetricFilter"),),
        delete=Call("DeleteMetricFilter"),
        named=Name("FilterName", 512),
        ref="FilterName",
    ),
    ResourceType(
        "AWS::Logs::SubscriptionFilter",
        "logs",
        create=Call("PutSubscriptionFilter"),
        updates=(Call("PutSubscriptionFilter"),),
        delete=Call("DeleteSubscriptionFilter"),
        named=Name("FilterName", 512),
        ref="FilterName",
    ),
    ResourceType(
        "AWS::Logs::ResourcePolicy",
        "logs",
        create=Call("PutResourcePolicy"),
        updates=(Call("PutResourcePolicy"),),
        delete=Call("DeleteResourcePolicy"),
    ),
    ResourceType(
        "AWS::Logs::AccountPolicy",
        "logs",
        create=Call("PutAccountPolicy"),
        updates=(Call("PutAccountPolicy"),),
        delete=Call("DeleteAccountPolicy"),
        attributes={"AccountId": "{account}"},
        ref="PolicyName",
    ),
    ResourceType(
        "AWS::Logs::Destination",
        "logs",
        create=Call("PutDestination"),
        updates=(Call("PutDestination", {"tags": None}),),
        parts=(Part("DestinationPolicy", Call("PutDestinationPolicy", {"accessPolicy": "DestinationPolicy"})),),
        delete=Call("DeleteDestination"),
        attributes={"Arn": "arn:{partition}:logs:{region}:{account}:destination:{DestinationName}"},
        tag=Call("TagResource", {"resourceArn": "Arn"}),
    ),
    ResourceType(
        "AWS::Logs::QueryDefinition",
        "logs",
        create=Call("PutQueryDefinition"),
        updates=(Call("PutQueryDefinition"),),
        delete=Call("DeleteQueryDefinition"),
    ),
)
