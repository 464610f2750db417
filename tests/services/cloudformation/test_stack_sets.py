"""Stack sets: one template's stacks in accounts and regions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import BROKEN, Stacks, queue
from tests.services.cloudformation.stack_sets import StackSets
from tests.standing import eventually

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_WEST, _EAST = "eu-west-1", "us-east-1"
_TEMPLATE = {
    "Description": "Queues",
    "Parameters": {"Delay": {"Type": "Number", "Default": 1}},
    "Resources": {"Q": queue(DelaySeconds={"Ref": "Delay"})},
}


@pytest.fixture
def sets(aws: Aws) -> StackSets:
    """The stack sets of a fresh account."""
    sets = StackSets(aws)
    sets.trust(aws)
    return sets


def _delays(sets: StackSets, account: str, region: str) -> list[str]:
    """Return the delays of an account's queues in a region."""
    sqs = sets.other(region, account).client("sqs")
    urls = sqs.list_queues().get("QueueUrls", [])
    return [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["DelaySeconds"] for url in urls
    ]


def _given(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def test_instances_are_made_updated_and_deleted(sets: StackSets) -> None:
    accounts = [sets.aws.account, sets.other().account]
    set_id = sets.create("s", _TEMPLATE, Tags=[{"Key": "a", "Value": "b"}])
    operation = sets.deploy("s", accounts, [_WEST, _EAST])
    assert (operation["Status"], operation["Action"]) == ("SUCCEEDED", "CREATE")
    assert operation["StatusDetails"] == {
        "FailedStackInstancesCount": 0,
        "TotalAccountsCount": 2,
        "TotalStackInstancesCount": 4,
    }
    places = [(account, region) for account in accounts for region in (_WEST, _EAST)]
    assert {_delays(sets, *place)[0] for place in places} == {"1"}
    instances = sets.instances("s")
    assert set(instances) == set(places)
    for place, one in instances.items():
        assert (one["Status"], one["StackInstanceStatus"]["DetailedStatus"]) == ("CURRENT", "SUCCEEDED")
        stack = Stacks(sets.other(place[1], place[0])).describe(one["StackId"])
        assert stack["StackName"].startswith("StackSet-s-")
        assert stack["Tags"] == [{"Key": "a", "Value": "b"}]
    shown = sets.client.describe_stack_set(StackSetName="s")["StackSet"]
    assert (shown["StackSetId"], shown["Description"], shown["Status"]) == (set_id, "Queues", "ACTIVE")
    assert shown["Regions"] == [_WEST, _EAST]
    assert shown["AdministrationRoleARN"].endswith(":role/AWSCloudFormationStackSetAdministrationRole")
    assert shown["ExecutionRoleName"] == "AWSCloudFormationStackSetExecutionRole"

    assert sets.update("s", _TEMPLATE, Parameters=_given(Delay="2"))["Status"] == "SUCCEEDED"
    assert {_delays(sets, *place)[0] for place in places} == {"2"}
    # Nothing changes: that is no failure.
    assert sets.update("s", _TEMPLATE, Parameters=_given(Delay="2"))["Status"] == "SUCCEEDED"

    with pytest.raises(ClientError, match="StackSet is not empty"):
        sets.client.delete_stack_set(StackSetName="s")
    assert sets.delete("s", accounts, [_WEST, _EAST])["Status"] == "SUCCEEDED"
    assert [_delays(sets, *place) for place in places] == [[]] * 4
    assert sets.instances("s") == {}
    listed = sets.client.list_stack_set_operations(StackSetName="s")["Summaries"]
    assert [one["Action"] for one in listed] == ["DELETE", "UPDATE", "UPDATE", "CREATE"]
    sets.client.delete_stack_set(StackSetName="s")
    assert [one["Status"] for one in sets.client.list_stack_sets()["Summaries"]] == ["DELETED"]
    assert sets.client.list_stack_sets(Status="ACTIVE")["Summaries"] == []


def test_instances_have_parameters_of_their_own(sets: StackSets) -> None:
    accounts = sorted([sets.aws.account, sets.other().account])
    sets.create("s", _TEMPLATE)
    sets.deploy("s", accounts[:1], [_EAST], ParameterOverrides=_given(Delay="5"))
    sets.deploy("s", accounts[1:], [_EAST])
    sets.update("s", _TEMPLATE, Parameters=_given(Delay="3"))
    assert [_delays(sets, account, _EAST) for account in accounts] == [["5"], ["3"]]

    target = {"StackSetName": "s", "Accounts": accounts[1:], "Regions": [_EAST]}
    answer = sets.client.update_stack_instances(**target, ParameterOverrides=_given(Delay="7"))
    assert sets.wait("s", answer["OperationId"])["Status"] == "SUCCEEDED"
    assert _delays(sets, accounts[1], _EAST) == ["7"]
    place = {"StackInstanceAccount": accounts[1], "StackInstanceRegion": _EAST}
    shown = sets.client.describe_stack_instance(StackSetName="s", **place)["StackInstance"]
    assert shown["ParameterOverrides"] == _given(Delay="7")

    # What the list leaves out goes back to the value of the set.
    answer = sets.client.update_stack_instances(**target, ParameterOverrides=[])
    sets.wait("s", answer["OperationId"])
    assert _delays(sets, accounts[1], _EAST) == ["3"]
    with pytest.raises(ClientError, match=r"Parameters: \[None\] do not exist in the template"):
        sets.client.update_stack_instances(**target, ParameterOverrides=_given(**{"None": "1"}))


def test_stacks_can_be_retained_and_imported(sets: StackSets) -> None:
    account = sets.other().account
    sets.create("s", _TEMPLATE)
    sets.deploy("s", [account], [_EAST], ParameterOverrides=_given(Delay="4"))
    stack_id = sets.instances("s")[account, _EAST]["StackId"]
    assert sets.delete("s", [account], [_EAST], RetainStacks=True)["RetainStacks"] is True
    assert sets.instances("s") == {}
    assert _delays(sets, account, _EAST) == ["4"]

    answer = sets.client.import_stacks_to_stack_set(StackSetName="s", StackIds=[stack_id])
    assert sets.wait("s", answer["OperationId"])["Status"] == "SUCCEEDED"
    place = {"StackInstanceAccount": account, "StackInstanceRegion": _EAST}
    shown = sets.client.describe_stack_instance(StackSetName="s", **place)["StackInstance"]
    assert (shown["StackId"], shown["Status"]) == (stack_id, "CURRENT")
    assert shown["ParameterOverrides"] == _given(Delay="4")

    sets.create("other", {"Resources": {"Q": queue()}})
    answer = sets.client.import_stacks_to_stack_set(StackSetName="other", StackIds=[stack_id])
    assert sets.wait("other", answer["OperationId"])["Status"] == "FAILED"
    found = sets.instances("other")[account, _EAST]
    assert (found["Status"], found["StackInstanceStatus"]["DetailedStatus"]) == ("INOPERABLE", "FAILED_IMPORT")
    with pytest.raises(ClientError, match="Specify either StackIds or StackIdsUrl"):
        sets.client.import_stacks_to_stack_set(StackSetName="s")


def test_a_set_is_made_of_a_stack(sets: StackSets) -> None:
    stack = Stacks(sets.aws).create("s", _TEMPLATE, Parameters=_given(Delay="9"))
    sets.client.create_stack_set(StackSetName="s", StackId=stack["StackId"])
    shown = sets.client.describe_stack_set(StackSetName="s")["StackSet"]
    assert (json.loads(shown["TemplateBody"]), shown["Parameters"]) == (_TEMPLATE, _given(Delay="9"))


_NAMED = {"Resources": {"Q": queue(QueueName="taken")}}


def _take(sets: StackSets, account: str, region: str) -> None:
    """Have the name of the set's queue taken, so that its stack fails."""
    sets.other(region, account).client("sqs").create_queue(QueueName="taken")


def test_an_operation_ends_where_too_many_fail(sets: StackSets) -> None:
    accounts = sorted(sets.other().account for _ in range(3))
    _take(sets, accounts[0], _WEST)
    sets.create("s", _NAMED)
    operation = sets.deploy("s", accounts, [_EAST, _WEST], OperationPreferences={"RegionOrder": [_WEST, _EAST]})
    assert operation["Status"] == "FAILED"
    results = sets.results("s", operation["OperationId"])
    status, reason = results.pop((accounts[0], _WEST))
    assert status == "FAILED"
    assert reason.startswith("ResourceLogicalId:StackSet-s-")
    assert "ResourceStatusReason:Validation failed with 1 error(s). Call DescribeEvents to" in reason
    assert set(results.values()) == {("CANCELLED", "Cancelled since failure tolerance has exceeded")}
    assert {one["Status"] for one in sets.instances("s").values()} == {"OUTDATED"}
    failed = sets.client.list_stack_instances(
        StackSetName="s", Filters=[{"Name": "DETAILED_STATUS", "Values": "FAILED"}]
    )["Summaries"]
    assert [one["Account"] for one in failed] == accounts[:1]

    # The stack that was rolled back is made again, and those that never were.
    sqs = sets.other(_WEST, accounts[0]).client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="taken")["QueueUrl"])
    sets.client.update_stack_set(StackSetName="s", TemplateBody=json.dumps({"Resources": {"Q": queue()}}))
    again = sets.client.list_stack_set_operations(StackSetName="s")["Summaries"][0]["OperationId"]
    assert sets.wait("s", again)["Status"] == "SUCCEEDED", sets.results("s", again)
    assert {one["Status"] for one in sets.instances("s").values()} == {"CURRENT"}


def test_failures_are_tolerated(sets: StackSets) -> None:
    accounts = sorted(sets.other().account for _ in range(4))
    _take(sets, accounts[0], _EAST)
    sets.create("s", _NAMED)
    preferences = {"FailureTolerancePercentage": 25, "MaxConcurrentCount": 2, "RegionConcurrencyType": "PARALLEL"}
    operation = sets.deploy("s", accounts, [_EAST], OperationPreferences=preferences)
    assert operation["Status"] == "SUCCEEDED"
    assert operation["OperationPreferences"].items() >= preferences.items()
    results = sets.results("s", operation["OperationId"])
    assert sorted(status for status, _ in results.values()) == ["FAILED", *["SUCCEEDED"] * 3]


_WAITING = {
    "Resources": {
        "Wait": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT1H"}},
        }
    }
}


def _signal(sets: StackSets, account: str) -> None:
    """End the waiting of an account's stack."""
    stacks = Stacks(sets.other(_EAST, account))

    def send() -> bool:
        found = stacks.client.describe_stacks()["Stacks"]
        try:
            stacks.client.signal_resource(
                StackName=found[0]["StackName"], LogicalResourceId="Wait", UniqueId="a", Status="SUCCESS"
            )
        except (ClientError, IndexError):
            return False
        return True

    eventually(send)


def test_an_operation_is_stopped(sets: StackSets) -> None:
    accounts = sorted(sets.other().account for _ in range(2))
    sets.create("s", _WAITING)
    target = {"StackSetName": "s", "Accounts": accounts, "Regions": [_EAST]}
    operation = sets.client.create_stack_instances(**target)["OperationId"]
    with pytest.raises(ClientError, match=r"Another Operation on StackSet .* is in progress") as raised:
        sets.client.create_stack_instances(**target)
    assert raised.value.response["Error"]["Code"] == "OperationInProgressException"
    with pytest.raises(ClientError, match="OperationInProgress"):
        sets.client.delete_stack_set(StackSetName="s")
    sets.client.stop_stack_set_operation(StackSetName="s", OperationId=operation)
    _signal(sets, accounts[0])
    assert sets.wait("s", operation)["Status"] == "STOPPED"
    results = sets.results("s", operation)
    assert [results[account, _EAST][0] for account in accounts] == ["SUCCEEDED", "CANCELLED"]
    with pytest.raises(ClientError, match="is in STOPPED state and cannot be stopped"):
        sets.client.stop_stack_set_operation(StackSetName="s", OperationId=operation)


def test_managed_execution_queues_what_conflicts(sets: StackSets) -> None:
    accounts = sorted(sets.other().account for _ in range(2))
    sets.create("s", _WAITING, ManagedExecution={"Active": True})
    target = {"StackSetName": "s", "Regions": [_EAST]}
    first = sets.client.create_stack_instances(**target, Accounts=accounts[:1])["OperationId"]
    second = sets.client.delete_stack_instances(**target, Accounts=accounts[:1], RetainStacks=False)["OperationId"]
    third = sets.client.create_stack_instances(**target, Accounts=accounts[1:])["OperationId"]
    _signal(sets, accounts[1])
    assert sets.wait("s", third)["Status"] == "SUCCEEDED"
    shown = sets.client.describe_stack_set_operation(StackSetName="s", OperationId=second)["StackSetOperation"]
    assert shown["Status"] == "QUEUED"
    _signal(sets, accounts[0])
    assert sets.wait("s", first)["Status"] == "SUCCEEDED"
    assert sets.wait("s", second)["Status"] == "SUCCEEDED"
    assert set(sets.instances("s")) == {(accounts[1], _EAST)}


def test_a_request_is_carried_out_once(sets: StackSets) -> None:
    account = sets.other().account
    options: dict[str, Any] = {"StackSetName": "s", "TemplateBody": json.dumps(_TEMPLATE), "ClientRequestToken": "t"}
    made = [sets.client.create_stack_set(**options)["StackSetId"] for _ in range(2)]
    assert made[0] == made[1]
    target = {"StackSetName": "s", "Accounts": [account], "Regions": [_EAST], "OperationId": "one"}
    for _ in range(2):
        assert sets.client.create_stack_instances(**target)["OperationId"] == "one"
    sets.wait("s", "one")
    with pytest.raises(ClientError, match="Operation one already exists") as raised:
        sets.client.create_stack_instances(**{**target, "Regions": [_WEST]})
    assert raised.value.response["Error"]["Code"] == "OperationIdAlreadyExistsException"
    assert len(sets.client.list_stack_set_operations(StackSetName="s")["Summaries"]) == 1


_GATE = """
def handler(event, context):
    return {"Status": "%s"}
"""


def _make_gate(account: Aws, status: str) -> None:
    role = {"AssumeRolePolicyDocument": _TRUST}
    function = {
        "FunctionName": "AWSCloudFormationStackSetAccountGate",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": _GATE % status},
    }
    template = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        }
    }
    stack = Stacks(account).create("gate", template, Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("gate", "status", "reason"),
    [("", "SKIPPED", "Function not found"), ("SUCCEEDED", "SUCCEEDED", ""), ("NO", "FAILED", "answered NO")],
)
def test_an_account_gate_is_asked(sets: StackSets, gate: str, status: str, reason: str) -> None:
    account = sets.other()
    if gate:
        _make_gate(account, gate)
    sets.create("s", _TEMPLATE)
    operation = sets.deploy("s", [account.account], [_EAST])
    target = {"StackSetName": "s", "OperationId": operation["OperationId"]}
    (found,) = sets.client.list_stack_set_operation_results(**target)["Summaries"]
    assert found["AccountGateResult"]["Status"] == status
    assert reason in found["AccountGateResult"]["StatusReason"]
    assert operation["Status"] == ("FAILED" if status == "FAILED" else "SUCCEEDED")
    assert found.get("StatusReason") == ("Account gate check failed" if status == "FAILED" else None)


def test_hidden_parameters_are_not_shown(sets: StackSets) -> None:
    hidden = {"Type": "String", "NoEcho": True}
    template = {"Parameters": {"Word": hidden}, "Resources": {"Q": queue(QueueName={"Ref": "Word"})}}
    sets.create("s", template, Parameters=_given(Word="one"))
    sets.deploy("s", [sets.aws.account], [_EAST], ParameterOverrides=_given(Word="two"))
    assert sets.client.describe_stack_set(StackSetName="s")["StackSet"]["Parameters"] == _given(Word="****")
    place = {"StackInstanceAccount": sets.aws.account, "StackInstanceRegion": _EAST}
    shown = sets.client.describe_stack_instance(StackSetName="s", **place)["StackInstance"]
    assert shown["ParameterOverrides"] == _given(Word="****")
    assert Stacks(sets.aws).queues() == ["two"]


def test_errors_of_stack_sets(sets: StackSets) -> None:
    client = sets.client
    sets.create("s", _TEMPLATE)
    name, template = {"StackSetName": "s"}, json.dumps(_TEMPLATE)
    targets = {**name, "Accounts": [sets.aws.account], "Regions": [_EAST]}

    def fails(code: str, call: Any, **params: Any) -> None:
        with pytest.raises(ClientError) as raised:
            call(**params)
        assert raised.value.response["Error"]["Code"] == code, raised.value

    fails("NameAlreadyExistsException", client.create_stack_set, **name, TemplateBody=template)
    fails("ValidationError", client.create_stack_set, StackSetName="1", TemplateBody=template)
    fails("ValidationError", client.create_stack_set, StackSetName="t", TemplateBody=template, Parameters=_given(X="1"))
    fails("ValidationError", client.create_stack_set, StackSetName="t", TemplateBody='{"Resources": {"A": {}}}')
    role = {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}}}
    needed = "InsufficientCapabilitiesException"
    fails(needed, client.create_stack_set, StackSetName="t", TemplateBody=json.dumps(role))
    managed = {"PermissionModel": "SERVICE_MANAGED"}
    fails("NotImplemented", client.create_stack_set, StackSetName="t", TemplateBody=template, **managed)
    for call in (client.describe_stack_set, client.delete_stack_set, client.list_stack_instances):
        fails("StackSetNotFoundException", call, StackSetName="none")
    fails("OperationNotFoundException", client.describe_stack_set_operation, **name, OperationId="none")
    fails("StackInstanceNotFoundException", client.update_stack_instances, **targets)
    place = {"StackInstanceAccount": sets.aws.account, "StackInstanceRegion": _EAST}
    fails("StackInstanceNotFoundException", client.describe_stack_instance, **name, **place)
    fails("ValidationError", client.create_stack_instances, **name, Regions=[_EAST])
    fails("ValidationError", client.create_stack_instances, **{**targets, "Regions": ["here"]})
    both = {"FailureToleranceCount": 1, "FailureTolerancePercentage": 1}
    fails("ValidationError", client.create_stack_instances, **targets, OperationPreferences=both)
    order = {"RegionOrder": [_WEST]}
    fails("ValidationError", client.create_stack_instances, **targets, OperationPreferences=order)
    units = {"OrganizationalUnitIds": ["ou-abcd-12345678"]}
    fails("NotImplemented", client.create_stack_instances, **name, Regions=[_EAST], DeploymentTargets=units)


def test_a_broken_template_fails_each_instance(sets: StackSets) -> None:
    sets.create("s", {"Resources": {"B": BROKEN}})
    assert sets.deploy("s", [sets.aws.account], [_EAST])["Status"] == "FAILED"
    assert sets.delete("s", [sets.aws.account], [_EAST])["Status"] == "SUCCEEDED"
    assert sets.instances("s") == {}


def test_the_summary_of_a_sets_template(sets: StackSets) -> None:
    sets.create("s", _TEMPLATE)
    shown = sets.client.get_template_summary(StackSetName="s")
    assert (shown["ResourceTypes"], shown["Parameters"][0]["ParameterKey"]) == (["AWS::SQS::Queue"], "Delay")


def _of(accounts: list[str], **properties: Any) -> dict[str, Any]:
    group = {"DeploymentTargets": {"Accounts": accounts}, "Regions": [_EAST, _WEST]}
    own = {
        "StackSetName": "made",
        "PermissionModel": "SELF_MANAGED",
        "TemplateBody": json.dumps(_TEMPLATE),
        "StackInstancesGroup": [{**group, **properties}],
    }
    return {"Resources": {"Set": {"Type": "AWS::CloudFormation::StackSet", "Properties": own}}}


def test_a_set_is_a_resource(sets: StackSets) -> None:
    accounts, stacks = [sets.other().account for _ in range(3)], Stacks(sets.aws)
    stack = stacks.create("s", _of(accounts[:2]))
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    set_id = stacks.physical_id("s", "Set")
    assert set_id.startswith("made:")
    assert len(sets.instances("made")) == 4

    changed = _of(accounts[1:], ParameterOverrides=_given(Delay="8"))
    changed["Resources"]["Set"]["Properties"]["Description"] = "Changed"
    assert stacks.update("s", changed)["StackStatus"] == "UPDATE_COMPLETE", stacks.events("s")
    assert {account for account, _ in sets.instances("made")} == set(accounts[1:])
    assert {_delays(sets, account, _WEST)[0] for account in accounts[1:]} == {"8"}
    assert _delays(sets, accounts[0], _EAST) == []
    assert sets.client.describe_stack_set(StackSetName=set_id)["StackSet"]["Description"] == "Changed"

    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE", stacks.events("s")
    assert _delays(sets, accounts[1], _EAST) == []
    assert sets.client.list_stack_sets(Status="ACTIVE")["Summaries"] == []


def test_a_set_whose_instances_fail_fails_as_a_resource(sets: StackSets) -> None:
    template, stacks = _of([sets.aws.account]), Stacks(sets.aws)
    template["Resources"]["Set"]["Properties"]["TemplateBody"] = json.dumps({"Resources": {"B": BROKEN}})
    assert stacks.create("s", template)["StackStatus"] == "ROLLBACK_COMPLETE", stacks.events("s")
    assert any("was FAILED: ResourceLogicalId:B" in reason for _, _, reason in stacks.events("s"))
    assert sets.client.list_stack_sets(Status="ACTIVE")["Summaries"] == []


def test_drift_of_all_instances_is_detected(sets: StackSets) -> None:
    accounts = sorted(sets.other().account for _ in range(2))
    sets.create("s", _TEMPLATE)
    sets.deploy("s", accounts, [_EAST])
    details = sets.client.describe_stack_set(StackSetName="s")["StackSet"]["StackSetDriftDetectionDetails"]
    assert details["DriftStatus"] == "NOT_CHECKED"
    sqs = sets.other(_EAST, accounts[0]).client("sqs")
    sqs.set_queue_attributes(QueueUrl=sqs.list_queues()["QueueUrls"][0], Attributes={"DelaySeconds": "9"})

    operation = sets.client.detect_stack_set_drift(StackSetName="s")["OperationId"]
    found = sets.wait("s", operation)
    assert (found["Status"], found["Action"]) == ("SUCCEEDED", "DETECT_DRIFT")
    counts = {"DriftedStackInstancesCount": 1, "InSyncStackInstancesCount": 1, "TotalStackInstancesCount": 2}
    details = found["StackSetDriftDetectionDetails"]
    assert (details["DriftStatus"], details["DriftDetectionStatus"]) == ("DRIFTED", "COMPLETED")
    assert details.items() >= counts.items()
    shown = sets.client.describe_stack_set(StackSetName="s")["StackSet"]
    assert shown["StackSetDriftDetectionDetails"] == details
    assert [one["DriftStatus"] for one in sets.client.list_stack_sets()["Summaries"]] == ["DRIFTED"]
    instances = sets.instances("s")
    assert [instances[account, _EAST]["DriftStatus"] for account in accounts] == ["DRIFTED", "IN_SYNC"]
    assert {one["Status"] for one in instances.values()} == {"CURRENT"}

    place = {"StackInstanceAccount": accounts[0], "StackInstanceRegion": _EAST, "StackSetName": "s"}
    (drift,) = sets.client.list_stack_instance_resource_drifts(**place, OperationId=operation)["Summaries"]
    assert (drift["LogicalResourceId"], drift["StackResourceDriftStatus"]) == ("Q", "MODIFIED")
    assert [one["PropertyPath"] for one in drift["PropertyDifferences"]] == ["/DelaySeconds"]
