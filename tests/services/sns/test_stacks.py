"""Topics and subscriptions that CloudFormation makes and deletes."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks


def test_a_subscription_that_nobody_has_confirmed_goes_with_its_stack(aws: Aws) -> None:
    properties = {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "someone@example.com"}
    resources = {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Subscription": {"Type": "AWS::SNS::Subscription", "Properties": properties},
    }
    stacks = Stacks(aws)
    stacks.create("orders", {"Resources": resources})
    del resources["Subscription"]
    assert stacks.update("orders", {"Resources": resources})["StackStatus"] == "UPDATE_COMPLETE"
    # As on AWS, it stays until its time is up: only its confirmation could be undone.
    assert len(aws.client("sns").list_subscriptions()["Subscriptions"]) == 1
    assert stacks.delete("orders")["StackStatus"] == "DELETE_COMPLETE"
    assert aws.client("sns").list_subscriptions()["Subscriptions"] == []
