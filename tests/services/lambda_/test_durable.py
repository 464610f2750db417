"""Durable functions: they save their progress, wait without running, and go on where they were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.refused import code_of, refused
from tests.services.lambda_.cloud import FunctionCloud, package, role_of
from tests.services.lambda_.durable_functions import (
    find_event,
    get,
    list_events,
    list_kinds,
    make,
    wait_for_end,
    wait_for_rest,
)
from tests.standing import Standing, eventually, standing_server


@pytest.fixture(scope="module")
def standing_cloud() -> Iterator[tuple[Standing, FunctionCloud]]:
    """A cloud whose clock stands, with a durable function."""
    with standing_server() as standing:
        cloud = FunctionCloud(standing.account())
        make(cloud, seconds=31_622_400)
        yield standing, cloud


def _start(cloud: FunctionCloud, event: dict[str, Any], function: str = "order:$LATEST", **more: Any) -> str:
    answer = cloud.client.invoke(
        FunctionName=function, InvocationType="Event", Payload=json.dumps({"item": "book", **event}), **more
    )
    assert answer["StatusCode"] == 202
    return str(answer["DurableExecutionArn"])


def _call(cloud: FunctionCloud, event: dict[str, Any], function: str, **more: Any) -> dict[str, Any]:
    answer = cloud.client.invoke(FunctionName=function, Payload=json.dumps({"item": "book", **event}), **more)
    return {**answer, "Payload": json.loads(answer["Payload"].read())}


def test_it_waits_for_days_without_running_and_tries_steps_again(
    standing_cloud: tuple[Standing, FunctionCloud],
) -> None:
    standing, cloud = standing_cloud
    arn = _start(cloud, {"seconds": 5 * 86_400, "pays": True}, DurableExecutionName="order-1")
    wait_for_rest(cloud, arn, "WaitStarted")
    waiting = get(cloud, arn)
    assert waiting["Status"] == "RUNNING"
    assert waiting["DurableConfig"] == {"ExecutionTimeout": 31_622_400, "RetentionPeriodInDays": 14}
    assert (waiting["ExpectedExecutionTimeoutTimestamp"] - waiting["StartTimestamp"]).days == 366
    standing.advance("5d")
    wait_for_rest(cloud, arn, "StepFailed")
    standing.advance("10m")
    ended = wait_for_end(cloud, arn)
    assert (ended["Status"], json.loads(ended["Result"])) == ("SUCCEEDED", {"reserved": "book", "paid": 2})
    assert json.loads(ended["InputPayload"]) == {"item": "book", "seconds": 432_000, "pays": True}
    kinds = list_kinds(cloud, arn)
    assert kinds.count("StepStarted") == 3
    assert kinds.count("InvocationCompleted") == 3
    assert kinds[-1] == "ExecutionSucceeded"
    failed = find_event(cloud, arn, "StepFailed")["StepFailedDetails"]
    assert failed["Error"]["Payload"] == {"ErrorType": "ValueError", "ErrorMessage": "no money"}
    assert failed["RetryDetails"]["CurrentAttempt"] == 1
    backwards = cloud.client.get_durable_execution_history(
        DurableExecutionArn=arn, ReverseOrder=True, IncludeExecutionData=False, MaxItems=1
    )
    assert backwards["Events"][0]["ExecutionSucceededDetails"] == {"Result": {"Truncated": True}}
    assert backwards["NextMarker"]
    pages = cloud.client.get_paginator("get_durable_execution_history")
    forwards, back = (
        [
            event["EventId"]
            for page in pages.paginate(DurableExecutionArn=arn, ReverseOrder=order, PaginationConfig={"PageSize": 4})
            for event in page["Events"]
        ]
        for order in (False, True)
    )
    for marker in ("x", "9" * 5000):
        call = cloud.client.get_durable_execution_history
        assert code_of(call, DurableExecutionArn=arn, Marker=marker) == "InvalidParameterValueException"
    assert forwards == back[::-1] == list(range(1, len(kinds) + 1))


def test_callbacks_are_answered_kept_alive_and_time_out(standing_cloud: tuple[Standing, FunctionCloud]) -> None:
    standing, cloud = standing_cloud
    lambda_ = cloud.client
    answered, refused_one, silent = (_start(cloud, {"asks": True}) for _ in range(3))
    ids = [
        find_event(cloud, arn, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]
        for arn in (answered, refused_one, silent)
    ]
    for arn in (answered, refused_one, silent):
        wait_for_rest(cloud, arn, "CallbackStarted")
    standing.advance("20m")
    lambda_.send_durable_execution_callback_heartbeat(CallbackId=ids[0])
    standing.advance("20m")
    timed_out = wait_for_end(cloud, silent)
    assert timed_out["Status"] == "FAILED"
    assert timed_out["Error"]["ErrorType"].endswith("CallbackTimeoutError")
    assert "CallbackTimedOut" in list_kinds(cloud, silent)
    lambda_.send_durable_execution_callback_success(CallbackId=ids[0], Result=b"yes")
    assert json.loads(wait_for_end(cloud, answered)["Result"]) == {"reserved": "book", "answer": "yes"}
    assert (
        code_of(lambda_.send_durable_execution_callback_failure, CallbackId=ids[1], Error={"ErrorMessage": "too late"})
        == "CallbackTimeoutException"
    )
    again = _start(cloud, {"asks": True})
    callback = find_event(cloud, again, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]
    lambda_.send_durable_execution_callback_failure(CallbackId=callback, Error={"ErrorMessage": "no"})
    assert wait_for_end(cloud, again)["Error"]["ErrorMessage"] == "no"
    assert code_of(lambda_.send_durable_execution_callback_success, CallbackId=callback) == "CallbackTimeoutException"
    assert (
        code_of(lambda_.send_durable_execution_callback_success, CallbackId="bm9uc2Vuc2U=")
        == "InvalidParameterValueException"
    )


def test_it_is_stopped_times_out_and_is_forgotten(standing_cloud: tuple[Standing, FunctionCloud]) -> None:
    standing, cloud = standing_cloud
    make(cloud, "short", seconds=60)
    stopped, late = _start(cloud, {"asks": True}), _start(cloud, {"seconds": 600}, "short:$LATEST")
    wait_for_rest(cloud, stopped, "CallbackStarted")
    wait_for_rest(cloud, late, "WaitStarted")
    cloud.client.stop_durable_execution(DurableExecutionArn=stopped, Error={"ErrorMessage": "enough"})
    told = get(cloud, stopped)
    assert (told["Status"], told["Error"]) == ("STOPPED", {"ErrorMessage": "enough"})
    standing.advance("2m")
    assert wait_for_end(cloud, late)["Status"] == "TIMED_OUT"
    assert list_kinds(cloud, late)[-1] == "ExecutionTimedOut"
    cloud.client.delete_durable_execution(DurableExecutionArn=stopped)
    assert code_of(get, cloud, stopped) == "ResourceNotFoundException"
    standing.advance("15d")

    def listed() -> list[Any]:
        return list(cloud.client.list_durable_executions_by_function(FunctionName="short")["DurableExecutions"])

    eventually(lambda: not listed())


def test_it_is_paused(standing_cloud: tuple[Standing, FunctionCloud]) -> None:
    standing, cloud = standing_cloud
    arn = _start(cloud, {"seconds": 600})
    wait_for_rest(cloud, arn, "WaitStarted")
    before = get(cloud, arn)["ExpectedExecutionTimeoutTimestamp"]
    cloud.client.pause_durable_execution(DurableExecutionArn=arn, Reason="holidays")
    paused = get(cloud, arn)
    assert (paused["Status"], paused["PauseDetails"]["Reason"]) == ("PAUSED", "holidays")
    assert code_of(cloud.client.pause_durable_execution, DurableExecutionArn=arn) == "ResourceConflictException"
    standing.advance("1h")
    eventually(lambda: "WaitSucceeded" in list_kinds(cloud, arn))
    assert list_kinds(cloud, arn).count("InvocationCompleted") == 1
    cloud.client.resume_durable_execution(DurableExecutionArn=arn)
    ended = wait_for_end(cloud, arn)
    assert ended["Status"] == "SUCCEEDED"
    assert before is not None
    assert code_of(cloud.client.resume_durable_execution, DurableExecutionArn=arn) == "ResourceConflictException"


def test_names_make_starting_idempotent(standing_cloud: tuple[Standing, FunctionCloud]) -> None:
    standing, cloud = standing_cloud
    standing.advance("1s")
    arn = _start(cloud, {}, DurableExecutionName="once")
    assert arn.split("/")[2] == "once"
    assert _start(cloud, {}, DurableExecutionName="once") == arn
    assert (
        code_of(_start, cloud, {"item": "pen"}, DurableExecutionName="once")
        == "DurableExecutionAlreadyStartedException"
    )
    wait_for_end(cloud, arn)
    assert _start(cloud, {}, DurableExecutionName="once") == arn
    newest = cloud.client.list_durable_executions_by_function(FunctionName="order", MaxItems=1)
    assert newest["DurableExecutions"][0]["DurableExecutionArn"] == arn
    pages = cloud.client.get_paginator("list_durable_executions_by_function")
    listed = [
        [
            each["DurableExecutionName"]
            for page in pages.paginate(FunctionName="order", **order)
            for each in page["DurableExecutions"]
        ]
        for order in ({"PaginationConfig": {"PageSize": 2}}, {"ReverseOrder": True})
    ]
    assert listed[0] == listed[1][::-1]
    named = cloud.client.list_durable_executions_by_function(
        FunctionName="order", Qualifier="$LATEST", DurableExecutionName="once", Statuses=["SUCCEEDED"]
    )
    assert len(named["DurableExecutions"]) == 1


@pytest.fixture(scope="module")
def durable_cloud(cloudlet_server: Server) -> Iterator[FunctionCloud]:
    with cloudlet_server.account() as aws:
        cloud = FunctionCloud(aws)
        make(cloud)
        yield cloud


def test_callers_wait_for_what_they_invoke(durable_cloud: FunctionCloud) -> None:
    answer = _call(durable_cloud, {"seconds": 1}, "order:$LATEST")
    assert answer["Payload"] == {"reserved": "book"}
    assert get(durable_cloud, answer["DurableExecutionArn"])["Status"] == "SUCCEEDED"
    failed = _call(durable_cloud, {"fails": "no"}, "order:$LATEST")
    assert failed["FunctionError"] == "Unhandled"
    assert (failed["Payload"]["errorType"], failed["Payload"]["errorMessage"]) == ("ValueError", "no")


def test_other_functions_are_called_durable_or_not(durable_cloud: FunctionCloud) -> None:
    cloud = durable_cloud
    cloud.function("plain", Code={"ZipFile": package()})
    cloud.function(
        "broken", Code={"ZipFile": package({"index.py": "def handler(event, context):\n    raise OSError(5)\n"})}
    )
    for function, given, told in (
        ("plain", {"a": 1}, {"a": 1}),
        ("order:$LATEST", {"item": "pen", "seconds": 1}, {"reserved": "pen"}),
    ):
        answer = _call(cloud, {"calls": function, "with": given}, "order:$LATEST")
        assert answer["Payload"] == {"reserved": "book", "called": told}
    for function, error in (("broken", "5"), ("none", "Function not found")):
        failed = _call(cloud, {"calls": function, "with": {}}, "order:$LATEST")
        assert failed["FunctionError"] == "Unhandled"
        assert error in failed["Payload"]["errorMessage"]


def test_what_cannot_be_invoked_so(durable_cloud: FunctionCloud) -> None:
    cloud = durable_cloud
    for more in ({}, {"InvocationType": "Event"}):
        assert "using an unqualified ARN" in refused(cloud.client.invoke, FunctionName="order", **more)[1]
    for unbuilt in ({"ClientContext": "e30="}, {"LogType": "Tail"}):
        assert code_of(cloud.client.invoke, FunctionName="order:$LATEST", **unbuilt) == "NotImplemented"
    make(cloud, "long", seconds=901)
    assert "executionTimeout greater than 15 minutes" in refused(cloud.client.invoke, FunctionName="long:$LATEST")[1]
    cloud.function("usual")
    assert (
        code_of(cloud.client.invoke, FunctionName="usual", DurableExecutionName="a") == "InvalidParameterValueException"
    )
    assert (
        code_of(cloud.client.update_function_configuration, FunctionName="usual", DurableConfig={"ExecutionTimeout": 5})
        == "InvalidParameterValueException"
    )
    changed = cloud.client.update_function_configuration(FunctionName="long", DurableConfig={"ExecutionTimeout": 5})
    assert changed["DurableConfig"] == {"ExecutionTimeout": 5, "RetentionPeriodInDays": 14}


_RAW = """
import json
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    if "Status" in event["InitialExecutionState"]["Operations"][0]["ExecutionDetails"]["InputPayload"]:
        return json.loads(event["InitialExecutionState"]["Operations"][0]["ExecutionDetails"]["InputPayload"])
    client, told, token = boto3.client("lambda"), [], event["CheckpointToken"]
    def save(token, *updates, **more):
        try:
            return client.checkpoint_durable_execution(
                DurableExecutionArn=event["DurableExecutionArn"], CheckpointToken=token, Updates=list(updates), **more)
        except ClientError as error:
            told.append(error.response["Error"]["Message"])
    start = {"Id": "s", "Type": "STEP", "Action": "START"}
    first = save(token, start, ClientToken="one")
    again = save(token, start, ClientToken="one")
    told.append(first["CheckpointToken"] == again["CheckpointToken"])
    told.append([each["Status"] for each in first["NewExecutionState"]["Operations"]])
    save(token, {"Id": "t", "Type": "STEP", "Action": "START"})
    token = again["CheckpointToken"]
    save(token, {"Id": "s", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 5}})
    save(token, {"Id": "u", "ParentId": "s", "Type": "STEP", "Action": "START"})
    save(token, {"Id": "w", "Type": "WAIT", "Action": "SUCCEED"})
    token = save(token, {"Id": "s", "Type": "STEP", "Action": "SUCCEED", "Payload": "1"})["CheckpointToken"]
    save(token, {"Id": "s", "Type": "STEP", "Action": "SUCCEED", "Payload": "2"})
    steps = [{"Id": f"n{i}", "Type": "STEP", "Action": "SUCCEED", "Payload": str(i)} for i in range(120)]
    contexts = [{"Id": "c", "Type": "CONTEXT", "Action": "START"},
                {"Id": "in", "ParentId": "c", "Type": "STEP", "Action": "SUCCEED", "Payload": "0"},
                {"Id": "c", "Type": "CONTEXT", "Action": "SUCCEED", "Payload": "3"}]
    token = save(token, *contexts, *steps)["CheckpointToken"]
    pages = client.get_paginator("get_durable_execution_state").paginate(
        DurableExecutionArn=event["DurableExecutionArn"], CheckpointToken=token)
    ids = [each["Id"] for page in pages for each in page["Operations"]]
    told += [len(ids), "in" in ids, ids[1:3]]
    return {"Status": "SUCCEEDED", "Result": json.dumps(told)}
"""


def test_checkpoints_are_in_order_and_make_sense(durable_cloud: FunctionCloud) -> None:
    durable_cloud.function(
        "raw", Code={"ZipFile": package({"index.py": _RAW})}, DurableConfig={"ExecutionTimeout": 60}, Timeout=60
    )
    told = _call(durable_cloud, {}, "raw:$LATEST")["Payload"]
    assert told[:3] == [True, ["STARTED"], "Invalid checkpoint token"]
    assert told[3] == "Inconsistent operation type."
    assert told[4] == "Invalid parent operation id."
    assert told[5] == "Invalid action SUCCEED for an operation of type WAIT."
    assert told[6] == "Invalid action SUCCEED for operation s of type STEP: its status is SUCCEEDED."
    # The execution, the first step, the context without what is in it, and 120 steps.
    assert told[7:] == [123, False, ["s", "c"]]
    odd = {"Status": "FAILED", "Error": {"ErrorMessage": "no", "ErrorType": 5, "StackTrace": [1], "Other": 2}}
    ended = durable_cloud.client.invoke(FunctionName="raw:$LATEST", Payload=json.dumps(odd))
    error = get(durable_cloud, ended["DurableExecutionArn"])["Error"]
    assert error == {"ErrorMessage": "no", "StackTrace": ["1"]}
    for given, message in (
        ({"Status": "PENDING"}, "Cannot return PENDING status with no pending operations."),
        ({"Status": "DONE"}, "Invalid Status in invocation output."),
    ):
        failed = durable_cloud.client.invoke(FunctionName="raw:$LATEST", Payload=json.dumps(given))
        assert json.loads(failed["Payload"].read())["errorMessage"] == message


def test_destinations_and_events_tell_of_ends(aws: Aws) -> None:
    cloud = FunctionCloud(aws)
    make(cloud)
    sqs = aws.client("sqs")
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("won", "lost", "dead", "told")}
    arns = {name: f"arn:aws:sqs:us-east-1:{aws.account}:{name}" for name in queues}
    cloud.client.update_function_configuration(FunctionName="order", DeadLetterConfig={"TargetArn": arns["dead"]})
    cloud.wait("order")
    cloud.client.put_function_event_invoke_config(
        FunctionName="order",
        Qualifier="$LATEST",
        DestinationConfig={"OnSuccess": {"Destination": arns["won"]}, "OnFailure": {"Destination": arns["lost"]}},
    )
    events = aws.client("events")
    events.put_rule(Name="told", EventPattern=json.dumps({"detail-type": ["Durable Execution Status Change"]}))
    events.put_targets(Rule="told", Targets=[{"Id": "1", "Arn": arns["told"]}])
    won, lost = _start(cloud, {}), _start(cloud, {"fails": "no"})

    def receive(name: str) -> dict[str, Any]:
        found = eventually(lambda: sqs.receive_message(QueueUrl=queues[name], WaitTimeSeconds=20).get("Messages"))[0]
        sqs.delete_message(QueueUrl=queues[name], ReceiptHandle=found["ReceiptHandle"])
        return dict(json.loads(found["Body"]))

    assert receive("won")["responsePayload"] == {"reserved": "book"}
    record = receive("lost")
    assert record["requestPayload"] == {"item": "book", "fails": "no"}
    assert record["responsePayload"]["errorMessage"] == "no"
    assert receive("dead") == {"item": "book", "fails": "no"}
    details = [receive("told")["detail"] for _ in range(4)]
    for arn, status in ((won, "SUCCEEDED"), (lost, "FAILED")):
        assert [each["status"] for each in details if each["durableExecutionArn"] == arn] == ["RUNNING", status]


def test_it_goes_on_after_everything_was_killed(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, "123456789012")
        cloud = FunctionCloud(aws)
        make(cloud, source=_SLOW)
        arns = [_start(cloud, {"item": number}) for number in range(3)]
        for arn in arns:
            find_event(cloud, arn, "StepSucceeded")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, "123456789012"))
        assert role_of(cloud.account)
        for number, arn in enumerate(arns):
            ended = wait_for_end(cloud, arn)
            assert (ended["Status"], json.loads(ended["Result"])) == ("SUCCEEDED", [number, number + 1])
            done = [each for each in list_events(cloud, arn) if each["EventType"] == "StepSucceeded"]
            assert len(done) == 2


_SLOW = """
import time
from aws_durable_execution_sdk_python import durable_execution, durable_step

@durable_step
def tell(step, value, seconds):
    time.sleep(seconds)
    return value

@durable_execution
def handler(event, context):
    return [context.step(tell(event["item"], 0), name="quick"), context.step(tell(event["item"] + 1, 2), name="slow")]
"""
