"""The way to read resources of Amazon CloudWatch Logs."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import Listing, Read, Reading, find_in, read_tags


def _make_arn(properties: Properties) -> str:
    return "arn:{partition}:logs:{region}:{account}:log-group:{LogGroupName}".format_map(properties)


READINGS: Final = {
    "AWS::Logs::LogGroup": Reading(
        Read(
            Call("DescribeLogGroups", {"logGroupNamePrefix": "LogGroupName"}),
            {"LogGroupName": None, "DataProtectionPolicy": None},
            root=find_in("logGroups", "logGroupName", "LogGroupName"),
        ),
        (
            Read(
                Call("GetDataProtectionPolicy", {"logGroupIdentifier": "LogGroupName"}),
                {"DataProtectionPolicy": "policyDocument"},
                is_exact=True,
            ),
            read_tags("ListTagsForResource", "resourceArn", _make_arn, "tags"),
        ),
        Listing(Call("DescribeLogGroups")),
    ),
    "AWS::Logs::LogStream": Reading(
        Read(
            Call("DescribeLogStreams", {"logStreamNamePrefix": "LogStreamName"}),
            root=find_in("logStreams", "logStreamName", "LogStreamName"),
        ),
        list=Listing(Call("DescribeLogStreams")),
    ),
    "AWS::Logs::MetricFilter": Reading(
        Read(
            Call(
                "DescribeMetricFilters", {"filterNamePrefix": "FilterName", "metricName": None, "metricNamespace": None}
            ),
            root=find_in("metricFilters", "filterName", "FilterName"),
        ),
        list=Listing(Call("DescribeMetricFilters")),
    ),
    "AWS::Logs::SubscriptionFilter": Reading(
        Read(
            Call("DescribeSubscriptionFilters", {"filterNamePrefix": "FilterName"}),
            root=find_in("subscriptionFilters", "filterName", "FilterName"),
        ),
        list=Listing(Call("DescribeSubscriptionFilters")),
    ),
    "AWS::Logs::ResourcePolicy": Reading(
        Read(Call("DescribeResourcePolicies"), root=find_in("resourcePolicies", "policyName", "PolicyName")),
        list=Listing(Call("DescribeResourcePolicies")),
    ),
    "AWS::Logs::AccountPolicy": Reading(
        Read(Call("DescribeAccountPolicies"), root=find_in("accountPolicies", "policyName", "PolicyName"))
    ),
    "AWS::Logs::Destination": Reading(
        Read(
            Call("DescribeDestinations", {"DestinationNamePrefix": "DestinationName"}),
            root=find_in("destinations", "destinationName", "DestinationName"),
        ),
        (read_tags("ListTagsForResource", "resourceArn", "Arn", "tags"),),
        Listing(Call("DescribeDestinations")),
    ),
    "AWS::Logs::QueryDefinition": Reading(
        Read(
            Call("DescribeQueryDefinitions"),
            root=find_in("queryDefinitions", "queryDefinitionId", "QueryDefinitionId"),
        ),
        list=Listing(Call("DescribeQueryDefinitions")),
    ),
}
