"""Requests of Cloud Control API: repeated, listed, cancelled, forgotten, and one at a time for a resource."""

from __future__ import annotations

import json
from typing import Any

from tests.services.cloudcontrol.control import Control, failing
from tests.standing import Standing

QUEUE = "AWS::SQS::Queue"


def test_a_client_token_makes_a_request_one(control: Control) -> None:
    options = {"TypeName": QUEUE, "DesiredState": json.dumps({"QueueName": "q"}), "ClientToken": "once"}
    first = control.client.create_resource(**options)["ProgressEvent"]
    control.wait({"ProgressEvent": first})
    again = control.client.create_resource(**options)["ProgressEvent"]
    assert (again["RequestToken"], again["OperationStatus"]) == (first["RequestToken"], "SUCCESS")
    with failing("ClientTokenConflictException", "already been used in another resource request"):
        control.client.create_resource(**{**options, "DesiredState": "{}"})
    with failing("ClientTokenConflictException"):
        control.client.delete_resource(TypeName=QUEUE, Identifier=again["Identifier"], ClientToken="once")


def test_requests_are_listed_the_newest_first(control: Control) -> None:
    url = control.create(QUEUE, {"QueueName": "q"})["Identifier"]
    control.create(QUEUE, {"QueueName": "q"})
    control.delete(QUEUE, url)
    client = control.client

    def listed(**chosen: Any) -> list[tuple[str, str]]:
        found = client.list_resource_requests(**({"ResourceRequestStatusFilter": chosen} if chosen else {}))
        return [(one["Operation"], one["OperationStatus"]) for one in found["ResourceRequestStatusSummaries"]]

    assert listed() == [("DELETE", "SUCCESS"), ("CREATE", "FAILED"), ("CREATE", "SUCCESS")]
    assert listed(Operations=["CREATE"]) == [("CREATE", "FAILED"), ("CREATE", "SUCCESS")]
    assert listed(OperationStatuses=["FAILED"]) == [("CREATE", "FAILED")]
    page = client.list_resource_requests(MaxResults=2)
    assert len(page["ResourceRequestStatusSummaries"]) == 2
    rest = client.list_resource_requests(MaxResults=2, NextToken=page["NextToken"])
    assert len(rest["ResourceRequestStatusSummaries"]) == 1
    with failing("ValidationException", "Invalid NextToken"):
        client.list_resource_requests(NextToken="A")


def _begin_slowly(control: Control) -> dict[str, Any]:
    """Begin to make a certificate, which waits until its owner has shown that the domain is theirs."""
    state = {"DomainName": "shop.example.com", "ValidationMethod": "DNS"}
    made = control.client.create_resource(
        TypeName="AWS::CertificateManager::Certificate", DesiredState=json.dumps(state)
    )
    event: dict[str, Any] = made["ProgressEvent"]
    return event


def test_a_request_is_cancelled(control: Control) -> None:
    token = _begin_slowly(control)["RequestToken"]
    cancelled = control.client.cancel_resource_request(RequestToken=token)["ProgressEvent"]
    assert cancelled["OperationStatus"] == "CANCEL_IN_PROGRESS"
    assert control.wait({"ProgressEvent": cancelled})["OperationStatus"] == "CANCEL_COMPLETE"
    with failing("ConcurrentModificationException", "CANCEL_COMPLETE"):
        control.client.cancel_resource_request(RequestToken=token)
    for call in (control.client.get_resource_request_status, control.client.cancel_resource_request):
        with failing("RequestTokenNotFoundException", "missing"):
            call(RequestToken="missing")


def test_one_request_at_a_time_changes_a_resource(control: Control) -> None:
    control.aws.client("sns").create_topic(Name="t")
    state = {"Name": "slow", "RoleArn": f"arn:aws:iam::{control.aws.account}:role/r"}
    arn = f"arn:aws:sqs:us-east-1:{control.aws.account}"
    sqs = control.aws.client("sqs")
    for name in ("a", "b"):
        sqs.create_queue(QueueName=name)
    control.create("AWS::Pipes::Pipe", {**state, "Source": f"{arn}:a", "Target": f"{arn}:b"})
    begun = control.client.delete_resource(TypeName="AWS::Pipes::Pipe", Identifier="slow")
    with failing("ConcurrentOperationException", "Another resource operation is currently being performed"):
        control.client.delete_resource(TypeName="AWS::Pipes::Pipe", Identifier="slow")
    done = control.wait(begun)
    assert done["OperationStatus"] == "SUCCESS", done
    assert control.delete("AWS::Pipes::Pipe", "slow")["ErrorCode"] == "NotFound"


def test_requests_are_kept_for_a_week(standing: Standing) -> None:
    control = Control(standing.account())
    options = {"TypeName": QUEUE, "DesiredState": "{}", "ClientToken": "t"}
    first = control.client.create_resource(**options)["ProgressEvent"]["RequestToken"]
    control.wait({"ProgressEvent": {"RequestToken": first}})
    standing.advance("37h")
    second = control.client.create_resource(**options)["ProgressEvent"]["RequestToken"]
    assert second != first
    standing.advance("6d")
    with failing("RequestTokenNotFoundException"):
        control.client.get_resource_request_status(RequestToken=first)
    listed = control.client.list_resource_requests()["ResourceRequestStatusSummaries"]
    assert [one["RequestToken"] for one in listed] == [second]


def test_what_is_not_ready_after_36_hours_has_failed(standing: Standing) -> None:
    control = Control(standing.account())
    begun = _begin_slowly(control)
    standing.advance("37h")
    done = control.wait({"ProgressEvent": begun})
    assert (done["OperationStatus"], done["ErrorCode"]) == ("FAILED", "NotStabilized")
