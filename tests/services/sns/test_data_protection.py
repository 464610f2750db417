"""Data protection policies: checked, kept and shown."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.refused import refused

_POLICY: dict[str, Any] = {
    "Name": "basic-protection",
    "Description": "Protect mail addresses",
    "Version": "2021-06-01",
    "Statement": [
        {
            "Sid": "deny",
            "DataDirection": "Inbound",
            "Principal": ["*"],
            "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],
            "Operation": {"Deny": {}},
        }
    ],
}
_AUDIT = {
    "DataDirection": "Inbound",
    "Principal": ["*"],
    "DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],
    "Operation": {
        "Audit": {"SampleRate": "99", "FindingsDestination": {"CloudWatchLogs": {"LogGroup": "/aws/vendedlogs/x"}}}
    },
}


def _statement(**changes: Any) -> str:
    policy = copy.deepcopy(_POLICY)
    policy["Statement"][0].update(changes)
    return json.dumps(policy)


def test_a_policy_is_kept_as_it_was_given_until_it_is_removed(sns: Any, topic: str) -> None:
    assert sns.get_data_protection_policy(ResourceArn=topic)["DataProtectionPolicy"] == ""
    policy = json.dumps({**_POLICY, "Statement": [*_POLICY["Statement"], _AUDIT]}, indent=1)
    sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy=policy)
    assert sns.get_data_protection_policy(ResourceArn=topic)["DataProtectionPolicy"] == policy
    sns.put_data_protection_policy(ResourceArn=topic, DataProtectionPolicy="")
    assert sns.get_data_protection_policy(ResourceArn=topic)["DataProtectionPolicy"] == ""


def test_a_topic_is_created_with_a_policy(sns: Any) -> None:
    policy = json.dumps(_POLICY)
    arn = sns.create_topic(Name="orders", DataProtectionPolicy=policy)["TopicArn"]
    assert sns.get_data_protection_policy(ResourceArn=arn)["DataProtectionPolicy"] == policy
    assert sns.create_topic(Name="orders", DataProtectionPolicy=policy)["TopicArn"] == arn
    assert refused(sns.create_topic, Name="orders", DataProtectionPolicy=json.dumps({**_POLICY, "Name": "b"})) == (
        "InvalidParameter",
        "Invalid parameter: DataProtectionPolicy Reason: Topic already exists with different data protection policy",
    )
    sns.delete_topic(TopicArn=arn)
    sns.create_topic(Name="orders")
    assert sns.get_data_protection_policy(ResourceArn=arn)["DataProtectionPolicy"] == ""


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "failed to parse JSON."),
        ("[]", "The policy must be a JSON object."),
        (json.dumps({**_POLICY, "Colour": "blue"}), "The policy has an unknown member Colour."),
        (json.dumps({**_POLICY, "Name": ""}), "Name must be a string of 1 to 80 characters."),
        (json.dumps({**_POLICY, "Version": "2012-10-17"}), "Version must be 2021-06-01."),
        (json.dumps({**_POLICY, "Statement": []}), "Statement must be a list of one statement or more."),
        (
            json.dumps({**_POLICY, "Statement": [_AUDIT, _AUDIT]}),
            "A policy can have one statement with the operation Audit only.",
        ),
        (_statement(DataDirection="Sideways"), "DataDirection must be one of Inbound, Outbound."),
        (_statement(DataIdentifier=[]), "DataIdentifier must be a list of one string or more."),
        (_statement(NoPrincipal=["*"]), "A statement must have either Principal or NoPrincipal."),
        (_statement(Operation={}), "Operation must have one of Audit, Deidentify, Deny."),
        (_statement(Operation={"Deidentify": {}}), "Deidentify must have one of MaskConfig, RedactConfig."),
        (_statement(Operation={"Deny": {"x": 1}}), "Deny has an unknown member x."),
        (
            _statement(Operation={"Audit": {"SampleRate": "100", "FindingsDestination": {}}}),
            "SampleRate must be a number between 0 and 99.",
        ),
        (
            _statement(Operation={"Audit": {"SampleRate": "99"}}),
            "Audit must have a FindingsDestination or a NoFindingsDestination.",
        ),
        (
            _statement(DataDirection="Outbound", Operation=_AUDIT["Operation"]),
            "Audit is for the DataDirection Inbound only.",
        ),
        (json.dumps({**_POLICY, "Description": "x" * 30_720}), "The policy is longer than 30720 characters."),
    ],
)
def test_policies_that_are_refused(sns: Any, topic: str, policy: str, reason: str) -> None:
    error = ("InvalidParameter", f"Invalid parameter: DataProtectionPolicy Reason: {reason}")
    assert refused(sns.put_data_protection_policy, ResourceArn=topic, DataProtectionPolicy=policy) == error
    assert refused(sns.create_topic, Name="returns", DataProtectionPolicy=policy) == error
    assert sns.get_data_protection_policy(ResourceArn=topic)["DataProtectionPolicy"] == ""


def test_fifo_topics_have_none(sns: Any) -> None:
    arn = sns.create_topic(Name="orders.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    policy = json.dumps(_POLICY)
    assert refused(sns.put_data_protection_policy, ResourceArn=arn, DataProtectionPolicy=policy) == (
        "InvalidParameter",
        "Invalid parameter: DataProtectionPolicy Reason: "
        "Data protection policies are supported on standard topics only.",
    )


def test_it_is_a_topics(sns: Any, topic: str) -> None:
    assert refused(sns.get_data_protection_policy, ResourceArn=f"{topic}s") == ("NotFound", "Topic does not exist")
    assert refused(sns.get_data_protection_policy, ResourceArn="x")[1].startswith("Invalid parameter: ResourceArn")
