"""Functions asked, and what they answer."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.modes import meaningless_in
from tests.services.lambda_.cloud import RUNTIME, FunctionCloud
from tests.services.lambda_.programs import invoke, module, program, python
from tests.standing import eventually


def logged(cloud: FunctionCloud) -> list[str]:
    """Return what is in the log of `f`."""
    return [event["message"] for event in cloud.logged()]


def test_a_function_answers(cloud: FunctionCloud) -> None:
    python(cloud, "return {'got': event, 'name': context.function_name}")
    answer = invoke(cloud, {"a": [1, "ü"]})
    assert answer.value == {"got": {"a": [1, "ü"]}, "name": "f"}
    assert answer.error is None
    assert (answer.raw["StatusCode"], answer.raw["ExecutedVersion"]) == (200, "$LATEST")


def test_without_a_payload_the_event_is_empty(cloud: FunctionCloud) -> None:
    python(cloud, "return event")
    assert invoke(cloud).value == {}


def test_the_context_says_what_aws_says(cloud: FunctionCloud) -> None:
    python(
        cloud,
        """
return {
    "request": context.aws_request_id,
    "arn": context.invoked_function_arn,
    "version": context.function_version,
    "memory": context.memory_limit_in_mb,
    "group": context.log_group_name,
    "stream": context.log_stream_name,
    "left": context.get_remaining_time_in_millis(),
    "client": context.client_context and context.client_context.custom,
    "identity": context.identity.cognito_identity_id,
}
""",
        MemorySize=256,
        Timeout=5,
    )
    given = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    answer = invoke(cloud, ClientContext=given)
    told = answer.value
    assert told["request"] == answer.raw["ResponseMetadata"]["RequestId"]
    assert told["arn"] == cloud.arn()
    assert (told["version"], told["memory"], told["group"]) == ("$LATEST", "256", "/aws/lambda/f")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", told["stream"])
    assert 3000 < told["left"] <= 5000
    assert (told["client"], told["identity"]) == ({"k": "v"}, None)


def test_the_environment_is_the_functions_own_and_lambdas(cloud: FunctionCloud) -> None:
    python(cloud, "return dict(os.environ)", Environment={"Variables": {"TABLE": "orders"}})
    found = invoke(cloud).value
    assert found["TABLE"] == "orders"
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert found["AWS_REGION"] == cloud.aws.region
    assert found["LAMBDA_TASK_ROOT"] == "/var/task"
    assert found["_HANDLER"] == "index.handler"
    assert not [name for name in found if "CLOUDLET" in name]


def test_a_function_calls_other_blocks_by_its_role(cloud: FunctionCloud) -> None:
    python(
        cloud,
        """
import boto3
boto3.client("sqs").create_queue(QueueName="from-inside")
return boto3.client("sts").get_caller_identity()["Arn"]
""",
        Timeout=30,
    )
    # The name of a session has two characters at least.
    assert invoke(cloud).value == f"arn:aws:sts::{cloud.account}:assumed-role/shop/f@lambda_function"


@meaningless_in("replicas", because="each replica has processes of its own for a function")
def test_a_process_serves_again_and_keeps_its_state(cloud: FunctionCloud) -> None:
    module(cloud, "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count\n")
    assert [invoke(cloud).value for _ in range(3)] == [1, 2, 3]


def test_invocations_at_once_have_processes_of_their_own(cloud: FunctionCloud) -> None:
    python(cloud, "time.sleep(0.5)\nreturn os.environ['AWS_LAMBDA_LOG_STREAM_NAME']", Timeout=30)
    with ThreadPoolExecutor(3) as threads:
        streams = list(threads.map(lambda _: invoke(cloud).value, range(3)))
    assert len(set(streams)) == 3


def test_an_exception_is_answered_as_aws_does(cloud: FunctionCloud) -> None:
    python(cloud, "raise ValueError('no such order')")
    answer = invoke(cloud)
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == "ValueError"
    assert answer.value["errorMessage"] == "no such order"
    assert answer.value["requestId"] == answer.raw["ResponseMetadata"]["RequestId"]
    assert answer.value["stackTrace"][0].startswith('  File "/var/task/index.py", line 4, in handler')
    assert "[ERROR] ValueError: no such order\nTraceback (most recent call last):" in answer.log


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        ("import nothing_like_it\n", "index.handler", "Runtime.ImportModuleError", "No module named 'nothing_like_it'"),
        ("x = 1\n", "index.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("x = 1\n", "other.handler", "Runtime.ImportModuleError", "Unable to import module 'other'"),
        ("x = 1\n", "index", "Runtime.MalformedHandlerName", "Bad handler 'index'"),
        ("def x(:\n", "index.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("raise RuntimeError('at start')\n", "index.handler", "RuntimeError", "at start"),
        ("x = 1\n", "time.sleep", "Runtime.BuiltInModuleConflict", "Cannot use built-in module time"),
    ],
)
def test_what_cannot_be_started_says_why(
    cloud: FunctionCloud, source: str, handler: str, kind: str, message: str
) -> None:
    module(cloud, source, Handler=handler)
    answer = invoke(cloud)
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == kind
    assert message in answer.value["errorMessage"]
    said = [line.split(":")[0].split()[0] for line in answer.log.splitlines()]
    assert said[0] == "INIT_START"
    assert said[-3:] == ["START", "END", "REPORT"]
    assert f"[ERROR] {kind}: " in answer.log
    assert answer.log.rstrip().endswith(f"Status: error\tError Type: {kind}")


def test_a_process_that_ends_at_its_start_is_the_invocations_error(cloud: FunctionCloud) -> None:
    module(cloud, "import os\nos._exit(3)\n")
    answer = invoke(cloud)
    request_id = answer.raw["ResponseMetadata"]["RequestId"]
    assert answer.value == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: exit status 3",
    }


def test_what_is_no_json_is_an_error_of_the_function(cloud: FunctionCloud) -> None:
    python(cloud, "return {1, 2}")
    answer = invoke(cloud)
    assert (answer.error, answer.value["errorType"]) == ("Unhandled", "Runtime.MarshalError")


def test_a_function_that_takes_too_long_is_ended(cloud: FunctionCloud) -> None:
    python(cloud, "time.sleep(event.get('sleep', 0))\nreturn 'in time'", Timeout=1)
    assert invoke(cloud).value == "in time"
    answer = invoke(cloud, {"sleep": 60})
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == "Sandbox.Timedout"
    assert answer.value["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert "Task timed out after 1.00 seconds" in answer.log
    assert "Status: timeout" in answer.log
    assert invoke(cloud).value == "in time"


def test_a_process_that_ends_is_an_error_and_replaced(cloud: FunctionCloud) -> None:
    python(cloud, "if event.get('end'): os._exit(7)\nreturn 'alive'")
    answer = invoke(cloud, {"end": True})
    assert answer.error == "Unhandled"
    assert answer.value["errorType"] == "Runtime.ExitError"
    assert answer.value["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
    assert invoke(cloud).value == "alive"


def test_a_function_that_holds_too_much_is_ended(cloud: FunctionCloud) -> None:
    python(cloud, "x = bytearray(event['mb'] << 20)\nreturn len(x)", Timeout=30)
    assert invoke(cloud, {"mb": 50}).value == 50 << 20
    answer = invoke(cloud, {"mb": 400})
    assert answer.value["errorType"] == "Runtime.ExitError"
    assert answer.value["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert "Error Type: Runtime.OutOfMemory" in answer.log


def test_tmp_is_as_large_as_configured_and_the_functions_own(cloud: FunctionCloud) -> None:
    body = "open('/tmp/f', 'wb').write(bytes(event['mb'] << 20))\nreturn os.listdir('/tmp')"
    python(cloud, body, Timeout=30)
    python(cloud, body, "g", Timeout=30)
    # What is in /tmp does not count as memory that the function holds, of which it may have 128 MB.
    assert invoke(cloud, {"mb": 300}).value == ["f"]
    assert invoke(cloud, {"mb": 600}).value["errorType"] == "OSError"
    assert invoke(cloud, {"mb": 1}, "g").value == ["f"]


def test_the_code_cannot_be_changed_by_the_function(cloud: FunctionCloud) -> None:
    python(cloud, "open('/var/task/index.py', 'w')")
    assert "Read-only file system" in invoke(cloud).value["errorMessage"]


def test_functions_do_not_see_each_other_nor_cloudlets_data(cloud: FunctionCloud) -> None:
    python(cloud, "open('/tmp/secret', 'w').write('s')\ntime.sleep(1)", "one", Timeout=30)
    python(
        cloud,
        """
seen = []
for root in ("/tmp", "/var", "/opt", "/root", "/home", "/work", "/data"):
    for folder, _, files in os.walk(root):
        seen += [os.path.join(folder, name) for name in files if "secret" in name or "master.key" in name]
for process in filter(str.isdigit, os.listdir("/proc")):
    try:
        if b"secret-of-one" in open(f"/proc/{process}/environ", "rb").read():
            seen.append(process)
    except OSError:
        pass
return seen
""",
        "two",
        Timeout=30,
    )
    cloud.client.update_function_configuration(
        FunctionName="one", Environment={"Variables": {"KEY": "secret-of-one"}}, Timeout=30
    )
    cloud.wait("one")
    running = threading.Thread(target=invoke, args=(cloud, None, "one"))
    running.start()
    try:
        assert invoke(cloud, None, "two").value == []
    finally:
        running.join()


def test_what_is_printed_and_logged_is_in_the_tail_and_in_cloudwatch_logs(cloud: FunctionCloud) -> None:
    module(
        cloud,
        """
import logging, subprocess, sys
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("one\\ntwo")
    print("to stderr", file=sys.stderr)
    logging.info("several\\nlines")
    subprocess.run(["echo", "from a program"])
""",
    )
    answer = invoke(cloud)
    request = answer.raw["ResponseMetadata"]["RequestId"]
    assert answer.log.startswith(f"START RequestId: {request} Version: $LATEST\none\ntwo\nto stderr\n")
    assert f"END RequestId: {request}\n" in answer.log
    report = (
        rf"REPORT RequestId: {request}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n"
    )
    assert re.search(report, answer.log)
    wanted = {"one", "two", "to stderr", "from a program"}
    written = eventually(
        lambda: logged(cloud), lambda found: wanted <= set(found) and any("REPORT" in each for each in found)
    )
    assert any(re.fullmatch(r"\[INFO\]\t\S+Z\t\S+\tseveral\nlines", message) for message in written)


def test_what_is_printed_in_json_has_levels_too(cloud: FunctionCloud) -> None:
    at = "2026-01-02T03:04:05.678Z"
    kept = [
        {"level": "ERROR", "timestamp": at},
        {"level": "warning", "timestamp": at},
        {"level": "strange", "timestamp": at},
        {"_aws": {}},
    ]
    left_out = [{"level": "info", "timestamp": at}, {"level": "ERROR", "timestamp": "today"}, {"level": "ERROR"}]
    python(
        cloud,
        "for line in event: print(json.dumps(line))\nprint('no json')",
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
    )
    log = invoke(cloud, left_out + kept).log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [line for line in lines if "type" not in line] == kept
    assert "no json\n" in log


def test_json_logs_have_levels(cloud: FunctionCloud) -> None:
    module(
        cloud,
        """
import logging
def handler(event, context):
    logging.getLogger("shop").info("not wanted")
    logging.getLogger("shop").warning("wanted", extra={"order": 7})
    logging.getLogger("shop").warning({"order": 8})
""",
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO"},
    )
    lines = [json.loads(line) for line in invoke(cloud).log.splitlines()]
    assert [line["type"] for line in lines if "type" in line] == ["platform.start", "platform.report"]
    logged, structured = [line for line in lines if "level" in line]
    assert (logged["message"], logged["level"], logged["order"]) == ("wanted", "WARNING", 7)
    assert structured["message"] == {"order": 8}


def test_new_code_is_used_at_once_and_running_invocations_are_finished(cloud: FunctionCloud) -> None:
    python(cloud, "print('begun')\ntime.sleep(event.get('sleep', 0))\nreturn 'old'", Timeout=30)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(invoke, cloud, {"sleep": 2})
        eventually(lambda: logged(cloud), lambda messages: "begun" in messages)
        cloud.client.update_function_code(
            FunctionName="f", ZipFile=program({"index.py": "def handler(event, context):\n    return 'new'\n"})
        )
        cloud.wait()
        assert invoke(cloud).value == "new"
        assert running.result().value == "old"
    assert invoke(cloud).value == "new"


def test_versions_and_aliases_are_invoked(cloud: FunctionCloud) -> None:
    python(cloud, "return [context.function_version, context.invoked_function_arn]")
    version = cloud.client.publish_version(FunctionName="f")["Version"]
    cloud.wait()
    cloud.client.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    answer = invoke(cloud, Qualifier="live")
    assert answer.value == ["1", f"{cloud.arn()}:live"]
    assert answer.raw["ExecutedVersion"] == "1"
    assert invoke(cloud, name=f"{cloud.arn()}:1").value == ["1", f"{cloud.arn()}:1"]


@meaningless_in("replicas", because="each replica counts what runs there")
def test_reserved_concurrency_throttles(cloud: FunctionCloud) -> None:
    url = cloud.aws.client("sqs").create_queue(QueueName="gate")["QueueUrl"]
    gate = "import boto3\nboto3.client('sqs').receive_message(QueueUrl=event['gate'], WaitTimeSeconds=20)"
    python(cloud, f"print('begun')\n{gate}", Timeout=60)
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(invoke, cloud, {"gate": url})
        eventually(lambda: logged(cloud), lambda messages: "begun" in messages)
        assert _refusal(cloud) == ("TooManyRequestsException", "Rate Exceeded.", 429)
        cloud.aws.client("sqs").send_message(QueueUrl=url, MessageBody="go on")
        assert running.result().error is None
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert _refusal(cloud) == ("TooManyRequestsException", "Rate Exceeded.", 429)


def _refusal(cloud: FunctionCloud) -> tuple[str, str, int] | None:
    try:
        cloud.client.invoke(FunctionName="f")
    except cloud.client.exceptions.TooManyRequestsException as error:
        answer = error.response
        return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]
    return None


def test_json_that_is_nested_too_deep_is_refused(cloud: FunctionCloud) -> None:
    python(cloud, "return 1")
    deep = b"[" * 100_000 + b"]" * 100_000
    assert cloud.refused("invoke", FunctionName="f", Payload=deep)[::2] == ("InvalidRequestContentException", 400)


def test_a_dry_run_only_asks_whether_it_might(cloud: FunctionCloud) -> None:
    python(cloud, "raise RuntimeError")
    answer = cloud.client.invoke(FunctionName="f", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_what_is_wrong_with_a_request_is_told(cloud: FunctionCloud) -> None:
    python(cloud, "return event")
    assert cloud.refused("invoke", FunctionName="f", Payload=b"{")[0] == "InvalidRequestContentException"
    assert cloud.refused("invoke", FunctionName="f", ClientContext="%%%")[0] == "InvalidRequestContentException"
    code, message, status = cloud.refused("invoke", FunctionName="f", Payload=json.dumps("x" * 6_291_456).encode())
    assert (code, status) == ("RequestTooLargeException", 413)
    assert message == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    code, message, status = cloud.refused("invoke", FunctionName="none")
    assert (code, message, status) == (
        "ResourceNotFoundException",
        f"Function not found: {cloud.arn('none')}:$LATEST",
        404,
    )


@pytest.mark.parametrize("size", [7_000_000, 70_000_000])
def test_an_answer_that_is_too_large_is_an_error(cloud: FunctionCloud, node_runtime: str, size: int) -> None:
    python(cloud, f"return 'x' * {size}", Timeout=30, MemorySize=1024)
    assert invoke(cloud).value["errorType"] == "Function.ResponseSizeTooLarge"
    source = program({"index.js": f"exports.handler = async () => 'x'.repeat({size});"})
    cloud.function("n", Runtime=node_runtime, Code={"ZipFile": source}, Timeout=30, MemorySize=1024)
    assert invoke(cloud, name="n").value["errorType"] == "Function.ResponseSizeTooLarge"


def test_what_is_printed_and_errors_may_be_large(cloud: FunctionCloud, node_runtime: str) -> None:
    """No frame that a process sends is: all that has come of one is in memory."""
    given: dict[str, Any] = {"Timeout": 30, "MemorySize": 1024}
    python(cloud, "print('x' * 9_000_000 + '\\nend')\nif event: raise ValueError('y' * 9_000_000)\nreturn 1", **given)
    print_and_fail = "console.log('x'.repeat(9e6) + '\\nend'); if (event) throw new Error('y'.repeat(9e6)); return 1;"
    source = program({"index.js": f"exports.handler = async (event) => {{ {print_and_fail} }};"})
    cloud.function("n", Runtime=node_runtime, Code={"ZipFile": source}, **given)
    for name, nothing in (("f", {}), ("n", False)):
        answer = invoke(cloud, nothing, name)
        assert (answer.value, "end\n" in answer.log) == (1, True)
        assert invoke(cloud, {"a": 1}, name).value["errorType"] == "Function.ResponseSizeTooLarge"
        assert invoke(cloud, nothing, name).value == 1


def test_a_streamed_answer_that_is_wanted_at_once_is_no_larger(cloud: FunctionCloud, node_runtime: str) -> None:
    for name, size in (("small", 3_000_000), ("large", 25_000_000)):
        source = f"exports.handler = awslambda.streamifyResponse(async (event, out) => out.end('x'.repeat({size})));"
        cloud.function(name, Runtime=node_runtime, Code={"ZipFile": program({"index.js": source})}, Timeout=30)
    assert len(cloud.client.invoke(FunctionName="small")["Payload"].read()) == 3_000_000
    assert invoke(cloud, name="large").value["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_answer_all_at_once_is_no_larger_where_a_stream_was_asked_for(cloud: FunctionCloud) -> None:
    python(cloud, "return 'x' * 7_000_000", Timeout=30)
    events = list(cloud.client.invoke_with_response_stream(FunctionName="f")["EventStream"])
    assert [event["InvokeComplete"]["ErrorCode"] for event in events] == ["Function.ResponseSizeTooLarge"]


def test_layers_are_there_one_over_the_other(cloud: FunctionCloud) -> None:
    layers = [
        cloud.client.publish_layer_version(LayerName=name, Content={"ZipFile": program(files)})["LayerVersionArn"]
        for name, files in (
            ("one", {"python/shared.py": "where = 'one'\n", "data/one": "1"}),
            ("two", {"python/shared.py": "where = 'two'\n", "data/two": "2"}),
        )
    ]
    python(cloud, "import shared\nreturn [shared.where, sorted(os.listdir('/opt/data'))]", Layers=layers)
    assert invoke(cloud).value == ["two", ["one", "two"]]


def test_layers_are_there_for_processes_that_start_at_once(cloud: FunctionCloud) -> None:
    layers = []
    for name in ("common", "more"):
        files = {f"python/{name}{number}.py": "x = 1" for number in range(300)}
        made = cloud.client.publish_layer_version(LayerName=name, Content={"ZipFile": program(files)})
        layers.append(made["LayerVersionArn"])
    code = "import common299, more299\ntime.sleep(0.5)\nreturn common299.x + more299.x"
    python(cloud, code, Layers=layers, Timeout=30)
    with ThreadPoolExecutor(6) as threads:
        assert [answer.value for answer in threads.map(lambda _: invoke(cloud), range(6))] == [2] * 6


def test_a_function_whose_runtime_cannot_be_had_has_failed_and_says_why(cloud: FunctionCloud) -> None:
    cloud.function("f", Runtime="ruby3.4", wait=False)

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = cloud.client.get_function(FunctionName="f")["Configuration"]
        return found

    failed = eventually(shown, lambda found: found["State"] != "Pending")
    assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "InvalidRuntime")
    assert "ruby3.4" in failed["StateReason"]
    refused = cloud.refused("invoke", FunctionName="f")
    assert refused[::2] == ("ResourceConflictException", 409)
    assert refused[1].endswith("The function is currently in the following state: Failed")
    cloud.client.update_function_configuration(FunctionName="f", Runtime=RUNTIME)
    eventually(shown, lambda found: found["State"] == "Active" and "StateReason" not in found)
    assert invoke(cloud).error is None


def test_an_update_to_a_runtime_that_cannot_be_had_changes_nothing(cloud: FunctionCloud) -> None:
    python(cloud, "return 'as before'")
    cloud.client.update_function_configuration(FunctionName="f", Runtime="ruby3.4")
    found = eventually(
        lambda: cloud.client.get_function_configuration(FunctionName="f"),
        lambda seen: seen["LastUpdateStatus"] != "InProgress",
    )
    assert (found["LastUpdateStatus"], found["LastUpdateStatusReasonCode"]) == ("Failed", "InvalidRuntime")
    assert "ruby3.4" in found["LastUpdateStatusReason"]
    assert invoke(cloud).value == "as before"


def test_nodejs_functions_answer_and_log(cloud: FunctionCloud, node_runtime: str) -> None:
    source = """
exports.handler = async (event, context) => {
  console.log("seen", event);
  if (event.boom) throw new TypeError("boom");
  return { got: event, name: context.functionName, left: context.getRemainingTimeInMillis() > 0 };
};
exports.calling = (event, context, callback) => setTimeout(() => callback(null, "called back"), 10);
"""
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": source})})
    answer = invoke(cloud, {"a": 1})
    assert answer.value == {"got": {"a": 1}, "name": "f", "left": True}
    request = answer.raw["ResponseMetadata"]["RequestId"]
    assert re.search(rf"Z\t{request}\tINFO\tseen {{ a: 1 }}\n", answer.log)
    answer = invoke(cloud, {"boom": True})
    assert (answer.value["errorType"], answer.value["errorMessage"]) == ("TypeError", "boom")
    assert answer.value["trace"][0] == "TypeError: boom"
    cloud.function("g", Runtime=node_runtime, Handler="index.calling", Code={"ZipFile": program({"index.js": source})})
    assert invoke(cloud, name="g").value == "called back"


def test_what_nodejs_logs_is_one_event_of_however_many_lines(cloud: FunctionCloud, node_runtime: str) -> None:
    source = """
exports.handler = async () => {
  console.log("one\\ntwo");
  console.error(new TypeError("boom"));
  process.stdout.write("three\\nfour\\rfive\\n");
};
"""
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": source})})
    invoke(cloud)
    written = eventually(lambda: logged(cloud), lambda found: any("REPORT" in each for each in found))
    assert any(message.endswith("\tINFO\tone\ntwo") for message in written)
    assert any(re.search(r"\tERROR\tTypeError: boom\n    at .*\n    at ", message) for message in written)
    assert {"three", "four\rfive"} <= set(written)


NODE_HANDLERS = {
    "calls back": ("(event, context, done) => done(null, 1)", 1),
    "calls back later": ("(event, context, done) => { setTimeout(() => done(null, 2), 50) }", 2),
    "calls back and goes on": ("(event, context, done) => { setTimeout(() => done(null, 4), 50); done(null, 3) }", 4),
    "never calls back": ("(event, context, done) => 'lost'", None),
    "returns no promise": ("(event) => 'lost'", None),
    "rejects nothing": (
        "async () => { throw null }",
        {"errorType": "string", "errorMessage": "handled", "trace": []},
    ),
    "answers what is no JSON": ("async () => 10n", ("Error", "Unable to stringify response body")),
    "throws beside": (
        "async () => { setTimeout(() => { throw new TypeError('beside') }); await new Promise(() => {}) }",
        ("TypeError", "beside"),
    ),
}


@pytest.mark.parametrize("way", NODE_HANDLERS)
def test_nodejs_handlers_of_each_kind(cloud: FunctionCloud, node_runtime: str, way: str) -> None:
    if int(node_runtime[6:-2]) >= 24 and ("call" in way or way == "returns no promise"):
        pytest.skip("from Node.js 24 on there are no callbacks")
    handler, wanted = NODE_HANDLERS[way]
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": f"exports.handler = {handler};"})})
    for _ in range(2):
        answer = invoke(cloud).value
        assert (
            (answer["errorType"], answer["errorMessage"]) == wanted if isinstance(wanted, tuple) else answer == wanted
        )


def test_nodejs_modules_are_imported(cloud: FunctionCloud, node_runtime: str) -> None:
    source = "import { join } from 'node:path';\nexport const handler = async () => join('a', 'b');\n"
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.mjs": source})})
    assert invoke(cloud).value == "a/b"


BOOTSTRAP = """#!/usr/bin/python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime"
def post(path, body, **headers):
    urllib.request.urlopen(urllib.request.Request(api + path, json.dumps(body).encode(), headers)).read()
if os.environ.get("BROKEN"):
    post("/init/error", {"errorType": "Own.Broken", "errorMessage": "as asked"})
    raise SystemExit(1)
while True:
    with urllib.request.urlopen(api + "/invocation/next") as answer:
        event, request = json.load(answer), answer.headers["Lambda-Runtime-Aws-Request-Id"]
        arn = answer.headers["Lambda-Runtime-Invoked-Function-Arn"]
    print("serving", flush=True)
    if event.get("boom"):
        post(f"/invocation/{request}/error", {"errorType": "Own.Boom", "errorMessage": "boom"})
    else:
        post(f"/invocation/{request}/response", {"event": event, "arn": arn, "handler": os.environ["_HANDLER"]})
"""


def test_a_custom_runtime_speaks_the_runtime_api(cloud: FunctionCloud) -> None:
    cloud.function("f", Runtime="provided.al2023", Code={"ZipFile": program({"bootstrap": BOOTSTRAP})}, Timeout=30)
    for number in range(2):
        answer = invoke(cloud, {"n": number})
        assert answer.value == {"event": {"n": number}, "arn": cloud.arn(), "handler": "index.handler"}
    answer = invoke(cloud, {"boom": True})
    assert answer.value == {"errorType": "Own.Boom", "errorMessage": "boom"}
    assert answer.error == "Unhandled"


def test_an_answer_by_the_runtime_api_that_is_too_large_is_an_error(cloud: FunctionCloud) -> None:
    large = BOOTSTRAP.replace(
        'post(f"/invocation/{request}/response", {',
        'post_large(request, event) or post(f"/invocation/{request}/response", {',
    )
    told = """
import urllib.error
def post_large(request, event):
    if "size" in event:
        try:
            post(f"/invocation/{request}/{event['what']}", "x" * event["size"])
        except urllib.error.HTTPError as refused:
            print("refused", refused.code, refused.read().decode(), flush=True)
        return True
while True:
"""
    source = large.replace("\nwhile True:\n", told)
    cloud.function("f", Runtime="provided.al2023", Code={"ZipFile": program({"bootstrap": source})}, Timeout=30)
    for what in ("response", "error"):
        answer = invoke(cloud, {"size": 6_291_555, "what": what})
        assert answer.value["errorType"] == "Function.ResponseSizeTooLarge"
        assert answer.error == "Unhandled"
    assert len(invoke(cloud, {"size": 6_291_554, "what": "response"}).value) == 6_291_554
    said = "Exceeded maximum allowed payload size (6291556 bytes)."
    refused = (
        f"refused 413 {json.dumps({'errorType': 'RequestEntityTooLarge', 'errorMessage': said}, separators=(',', ':'))}"
    )
    eventually(lambda: logged(cloud), lambda found: found.count(refused) == 2)


def test_a_custom_runtime_that_ends_after_an_answer_takes_no_other_invocation_with_it(cloud: FunctionCloud) -> None:
    """So Go's does after a panic. A runtime gets the next invocation once it asks for it."""
    ending = f"{BOOTSTRAP}    if 'ends' in event: __import__('time').sleep(0.3); raise SystemExit(1)\n"
    cloud.function("f", Runtime="provided.al2023", Code={"ZipFile": program({"bootstrap": ending})}, Timeout=30)
    assert invoke(cloud, {"ends": True}).error is None
    assert invoke(cloud).error is None


def test_a_custom_runtime_that_cannot_start_says_so(cloud: FunctionCloud) -> None:
    given: dict[str, Any] = {"Runtime": "provided.al2023", "Timeout": 30}
    cloud.function(
        "f",
        Code={"ZipFile": program({"bootstrap": BOOTSTRAP})},
        Environment={"Variables": {"BROKEN": "1"}},
        **given,
    )
    assert invoke(cloud).value == {"errorType": "Own.Broken", "errorMessage": "as asked"}
    cloud.function("g", Code={"ZipFile": program({"other": BOOTSTRAP})}, **given)
    assert invoke(cloud, name="g").value["errorType"] == "Runtime.ExitError"


EXTENSION = """#!/usr/bin/python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension"
asked = urllib.request.Request(
    api + "/register", json.dumps({"events": ["INVOKE", "SHUTDOWN"]}).encode(), {"Lambda-Extension-Name": "watcher"}
)
with urllib.request.urlopen(asked) as answer:
    me = answer.headers["Lambda-Extension-Identifier"]
    print("registered for", json.load(answer)["functionName"], flush=True)
while True:
    asked = urllib.request.Request(api + "/event/next", headers={"Lambda-Extension-Identifier": me})
    event = json.load(urllib.request.urlopen(asked))
    print("told of", event["eventType"], event.get("requestId"), flush=True)
    if event["eventType"] == "SHUTDOWN":
        break
"""


def test_extensions_run_beside_the_function(cloud: FunctionCloud) -> None:
    layer = cloud.client.publish_layer_version(
        LayerName="watcher", Content={"ZipFile": program({"extensions/watcher": EXTENSION})}
    )["LayerVersionArn"]
    python(cloud, "return 'answered'", Layers=[layer], Timeout=30)
    answer = invoke(cloud)
    assert answer.value == "answered"
    request = answer.raw["ResponseMetadata"]["RequestId"]
    eventually(lambda: logged(cloud), lambda found: {"registered for f", f"told of INVOKE {request}"} <= set(found))


def test_a_wrapper_starts_the_runtime(cloud: FunctionCloud) -> None:
    source = "import os\ndef wrapped(event, context):\n    return [os.environ['SET'], os.environ['STAGE']]\n"
    wrapper = '#!/bin/sh\nexport SET=yes _HANDLER=index.wrapped\nexec "$@"\n'
    cloud.function(
        "g",
        Code={"ZipFile": program({"index.py": source, "wrapper": wrapper})},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper", "STAGE": "test"}},
    )
    assert invoke(cloud, name="g").value == ["yes", "test"]


def test_a_wrapper_starts_nodejs(cloud: FunctionCloud, node_runtime: str) -> None:
    source = "exports.handler = async () => [process.env.SET, process.env.STAGE, process.env._CLOUDLET_CHANNEL];"
    wrapper = '#!/bin/sh\nexport SET=yes\nexec "$@"\n'
    cloud.function(
        "g",
        Runtime=node_runtime,
        Code={"ZipFile": program({"index.js": source, "wrapper": wrapper})},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper", "STAGE": "test"}},
    )
    assert invoke(cloud, name="g").value == ["yes", "test", None]


def test_another_program_cannot_use_the_runtime_api_of_a_sandbox(cloud: FunctionCloud) -> None:
    cloud.function(
        "f",
        Runtime="provided.al2023",
        Code={"ZipFile": program({"bootstrap": BOOTSTRAP.replace('"arn": arn', '"arn": api')})},
        Timeout=30,
    )
    address = invoke(cloud).value["arn"]
    python(
        cloud,
        """
import urllib.request
try:
    return urllib.request.urlopen(event["url"] + "/invocation/next", timeout=5).read().decode()
except OSError as error:
    return type(error).__name__
""",
        "thief",
        Timeout=30,
    )
    assert invoke(cloud, {"url": address}, "thief").value in ("RemoteDisconnected", "ConnectionResetError", "URLError")
    assert invoke(cloud).error is None


STREAMING = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  stream.setContentType("text/plain");
  for (const word of event.words) {
    stream.write(word);
    await new Promise((done) => setTimeout(done, 20));
  }
  if (event.boom) throw new Error("half way");
  stream.end();
});
"""


def test_an_answer_comes_in_pieces(cloud: FunctionCloud, node_runtime: str) -> None:
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": STREAMING})})
    answer = cloud.client.invoke_with_response_stream(
        FunctionName="f", Payload=json.dumps({"words": ["one ", "two"]}), LogType="Tail"
    )
    events = list(answer["EventStream"])
    assert [event["PayloadChunk"]["Payload"] for event in events[:-1]] == [b"one ", b"two"]
    complete = events[-1]["InvokeComplete"]
    assert "ErrorCode" not in complete
    assert "REPORT RequestId" in base64.b64decode(complete["LogResult"]).decode()
    assert invoke(cloud, {"words": ["1", "2"]}).value == 12


def test_an_answer_that_breaks_off_says_so_at_its_end(cloud: FunctionCloud, node_runtime: str) -> None:
    cloud.function("f", Runtime=node_runtime, Code={"ZipFile": program({"index.js": STREAMING})})
    answer = cloud.client.invoke_with_response_stream(
        FunctionName="f", Payload=json.dumps({"words": ["one"], "boom": True})
    )
    *pieces, last = answer["EventStream"]
    assert b"".join(piece["PayloadChunk"]["Payload"] for piece in pieces) == b"one"
    assert last["InvokeComplete"]["ErrorCode"] == "Error"
    assert json.loads(last["InvokeComplete"]["ErrorDetails"])["errorMessage"] == "half way"
    at_once = invoke(cloud, {"words": ["one"], "boom": True})
    assert (at_once.error, at_once.value["errorMessage"]) == ("Unhandled", "half way")


STREAMING_BOOTSTRAP = """#!/usr/bin/python3
import base64, json, os, socket, urllib.request
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = f"http://{host}:{port}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(api + "/next") as answer:
        event, request = json.load(answer), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        f"POST /2018-06-01/runtime/invocation/{request}/response HTTP/1.1\\r\\nHost: x\\r\\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n"
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n\\r\\n"
        "3\\r\\none\\r\\n0\\r\\n".encode()
    )
    if event.get("boom"):
        body = base64.b64encode(json.dumps({"errorMessage": "boom", "errorType": "x"}).encode()).decode()
        connection.sendall(
            "Lambda-Runtime-Function-Error-Type: Own.Boom\\r\\n"
            f"Lambda-Runtime-Function-Error-Body: {body}\\r\\n".encode()
        )
    connection.sendall(b"\\r\\n")
    connection.recv(1000)
    connection.close()
"""


def test_an_answer_of_a_custom_runtime_may_break_off(cloud: FunctionCloud) -> None:
    files = {"bootstrap": STREAMING_BOOTSTRAP}
    cloud.function("f", Runtime="provided.al2023", Code={"ZipFile": program(files)}, Timeout=30)

    def streamed(event: Any) -> tuple[bytes, Any]:
        answer = cloud.client.invoke_with_response_stream(FunctionName="f", Payload=json.dumps(event))
        *pieces, last = answer["EventStream"]
        return b"".join(piece["PayloadChunk"]["Payload"] for piece in pieces), last["InvokeComplete"]

    assert streamed({}) == (b"one", {})
    answer, end = streamed({"boom": True})
    assert (answer, end["ErrorCode"]) == (b"one", "Own.Boom")
    assert json.loads(end["ErrorDetails"]) == {"errorType": "Own.Boom", "errorMessage": "boom"}


def test_a_function_that_answers_at_once_can_be_asked_for_a_stream(cloud: FunctionCloud) -> None:
    python(cloud, "return {'whole': True}")
    *pieces, last = cloud.client.invoke_with_response_stream(FunctionName="f")["EventStream"]
    assert [json.loads(piece["PayloadChunk"]["Payload"]) for piece in pieces] == [{"whole": True}]
    assert "ErrorCode" not in last["InvokeComplete"]


def test_a_traced_invocation_is_seen_in_x_ray(cloud: FunctionCloud) -> None:
    python(
        cloud,
        "return [os.environ['_X_AMZN_TRACE_ID'], __import__('boto3') and None]",
        TracingConfig={"Mode": "Active"},
        Timeout=30,
    )
    header = invoke(cloud).value[0]
    told = dict(part.split("=") for part in header.split(";"))
    assert told["Sampled"] == "1"
    xray = cloud.aws.client("xray")

    def segments() -> list[dict[str, Any]]:
        traces = xray.batch_get_traces(TraceIds=[told["Root"]])["Traces"]
        return [json.loads(segment["Document"]) for trace in traces for segment in trace["Segments"]]

    found = {segment["origin"]: segment for segment in eventually(segments, lambda found: len(found) == 2)}
    function = found["AWS::Lambda::Function"]
    assert function["id"] == told["Parent"]
    assert function["parent_id"] == found["AWS::Lambda"]["id"]
    assert [phase["name"] for phase in function["subsegments"]] == ["Initialization", "Invocation"]


def test_a_trace_goes_on_in_the_function_as_its_caller_has_decided(cloud: FunctionCloud) -> None:
    python(cloud, "return os.environ['_X_AMZN_TRACE_ID']", TracingConfig={"Mode": "Active"})
    root = f"1-{int(time.time()):08x}-0123456789abcdef01234567"

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = f"Root={root};Parent=0123456789abcdef;Sampled=0"

    cloud.client.meta.events.register("before-send.lambda.Invoke", add)
    header = invoke(cloud).value
    assert header.startswith(f"Root={root};Parent=")
    assert ";Sampled=0" in header


def test_provisioned_concurrency_is_ready_before_the_first_invocation(cloud: FunctionCloud) -> None:
    python(cloud, "return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.getpid()]", Timeout=30)
    cloud.client.publish_version(FunctionName="f")
    cloud.wait()
    given = {"FunctionName": "f", "Qualifier": "1"}
    answer = cloud.client.put_provisioned_concurrency_config(**given, ProvisionedConcurrentExecutions=2)
    assert answer["Status"] == "IN_PROGRESS"

    def ready() -> dict[str, Any]:
        found: dict[str, Any] = cloud.client.get_provisioned_concurrency_config(**given)
        return found

    found = eventually(ready, lambda found: found["Status"] == "READY")
    assert found["AvailableProvisionedConcurrentExecutions"] == 2
    assert invoke(cloud, Qualifier="1").value[0] == "provisioned-concurrency"
    assert invoke(cloud).value[0] == "on-demand"
    cloud.client.delete_provisioned_concurrency_config(**given)
    assert cloud.refused("get_provisioned_concurrency_config", **given)[0] == (
        "ProvisionedConcurrencyConfigNotFoundException"
    )


def test_what_is_reserved_and_kept_ready_for_a_version_is_no_other_ones(cloud: FunctionCloud) -> None:
    python(cloud, "return os.environ['AWS_LAMBDA_FUNCTION_VERSION']", Timeout=30)
    cloud.client.publish_version(FunctionName="f")
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    cloud.client.put_provisioned_concurrency_config(FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1)
    assert cloud.refused("invoke", FunctionName="f")[::2] == ("TooManyRequestsException", 429)
    assert invoke(cloud, Qualifier="1").value == "1"
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    assert invoke(cloud).value == "$LATEST"


def test_what_cannot_be_kept_ready_says_why(cloud: FunctionCloud) -> None:
    module(cloud, "raise ValueError('boom')", Publish=True)
    given = {"FunctionName": "f", "Qualifier": "1"}
    cloud.client.put_provisioned_concurrency_config(**given, ProvisionedConcurrentExecutions=1)

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = cloud.client.get_provisioned_concurrency_config(**given)
        return found

    found = eventually(shown, lambda found: found["Status"] != "IN_PROGRESS")
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


def test_what_is_kept_ready_moves_with_its_alias(cloud: FunctionCloud) -> None:
    answer = "return os.environ['AWS_LAMBDA_FUNCTION_VERSION'], os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"
    python(cloud, answer, Publish=True)
    cloud.client.update_function_configuration(FunctionName="f", Timeout=5)
    cloud.wait()
    cloud.client.publish_version(FunctionName="f")
    given = {"FunctionName": "f", "Qualifier": "live"}
    cloud.client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    cloud.client.put_provisioned_concurrency_config(**given, ProvisionedConcurrentExecutions=1)

    def status() -> str:
        return str(cloud.client.get_provisioned_concurrency_config(**given)["Status"])

    eventually(status, lambda found: found == "READY")
    cloud.client.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    eventually(status, lambda found: found == "READY")
    assert invoke(cloud, Qualifier="live").value == ["2", "provisioned-concurrency"]


def test_what_threads_print_does_not_break_a_large_answer(cloud: FunctionCloud) -> None:
    module(
        cloud,
        """
import threading, time

def noise():
    while True:
        print("x" * 1000)
        time.sleep(0.0001)

begun = threading.Thread(target=noise, daemon=True)

def handler(event, context):
    if event["n"] == 0:
        begun.start()
    return [event["n"], "y" * 4_000_000]
""",
    )
    # The thread goes on: it is the same process that serves them all.
    assert [invoke(cloud, {"n": n}).value[0] for n in range(5)] == list(range(5))
    assert invoke(cloud, {"n": 5}).error is None


def test_a_process_that_was_forked_does_not_answer_for_its_parent(cloud: FunctionCloud) -> None:
    python(
        cloud, "child = os.fork()\nprint('printed by', 'the child' if not child else 'me')\nreturn [event, child > 0]"
    )
    for number in range(5):
        assert invoke(cloud, number).value == [number, True]

    def said() -> int:
        # What has answered is halted: the child goes on with the next invocation.
        invoke(cloud)
        return sum("printed by the child" in line for line in logged(cloud))

    eventually(said, lambda times: times >= 5)


def test_decimal_numbers_and_bytes_are_answered_as_they_are(cloud: FunctionCloud) -> None:
    python(
        cloud, "from decimal import Decimal\nreturn {'price': Decimal('9.90'), 'all': [Decimal(10**30), Decimal(3)]}"
    )
    raw = cloud.client.invoke(FunctionName="f")["Payload"].read()
    assert raw == b'{"price": 9.90, "all": [1000000000000000000000000000000, 3]}'
    python(cloud, "return b'{\"bytes\": 1}'", "g")
    assert invoke(cloud, name="g").value == {"bytes": 1}
