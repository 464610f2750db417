"""The Telemetry API and the Logs API, used by extensions as they would be on AWS."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import invoke, module, program, python
from tests.standing import eventually

EXTENSION = """#!/usr/bin/python3
import json, os, socket, sys, threading, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
asked = json.loads(os.environ["ASKED"])
host = os.environ.get("LISTENS", "sandbox.localdomain")

def received(event):
    # What is told of what is printed here is not printed again.
    if not str(event["record"]).startswith("received"):
        print("received", json.dumps(event), flush=True)

class Receiver(BaseHTTPRequestHandler):
    refusals = int(os.environ.get("REFUSALS", "0"))
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refused, Receiver.refusals = Receiver.refusals > 0, Receiver.refusals - 1
        # Before the answer: once it is there, the process may be told to end.
        for event in [] if refused else json.loads(body):
            received({**event, "by": f"{self.command} {self.path}"})
        self.send_response(500 if refused else 200)
        self.end_headers()
    do_PUT = do_POST
    def log_message(self, *_):
        pass

def call(path, body=None, method="POST", **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(api + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), {}

def take_lines(server):
    for line in server.accept()[0].makefile():
        received(json.loads(line))

if os.environ.get("BY_TCP"):
    server = socket.create_server((host, 0))
    threading.Thread(target=take_lines, args=(server,), daemon=True).start()
    port = server.getsockname()[1]
else:
    server = HTTPServer((host, 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port

name = {"Lambda-Extension-Name": "listener"}
me = {"Lambda-Extension-Identifier": call("/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]}, **name)
      [2]["Lambda-Extension-Identifier"]}
for each in asked:
    body = json.loads(json.dumps(each["body"]).replace("PORT", str(port)).replace('"NUMBER"', str(port)))
    answer = call(each["path"], body, "PUT", **({} if each.get("unknown") else me))
    print("subscribed", json.dumps(answer[:2]), flush=True)
while True:
    _, event, _ = call("/2020-01-01/extension/event/next", method="GET", **me)
    event = json.loads(event)
    if event["eventType"] == "SHUTDOWN":
        break
    late = os.environ.get("LATE")
    if late:
        print("subscribed", json.dumps(call(late, body, "PUT", **me)[:2]), flush=True)
"""
TELEMETRY, LOGS = "/2022-07-01/telemetry", "/2020-08-15/logs"
HTTP = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:PORT/events?a=b"}
ALL = ["platform", "function", "extension"]
QUICK = {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}
SOURCE = """
import os, subprocess, sys, time
print("printed at the start")

def handler(event, context):
    print("printed by the handler")
    subprocess.run(["echo", "printed by a program"])
    os.write(2, b"written as an error\\n")
    return "answered"
"""


def subscription(path: str = TELEMETRY, **changes: Any) -> dict[str, Any]:
    schema = "2022-12-13" if path == TELEMETRY else "2021-03-18"
    body = {"schemaVersion": schema, "destination": HTTP, "types": ALL, "buffering": QUICK, **changes}
    return {"path": path, "body": {name: value for name, value in body.items() if value is not None}}


def extended(cloud: FunctionCloud, *asked: dict[str, Any], source: str = SOURCE, **more: Any) -> None:
    """Create `f`, with an extension that subscribes as is asked and logs what it receives."""
    variables = {"ASKED": json.dumps(asked), **more.pop("variables", {})}
    module(cloud, source, Layers=[layer(cloud)], Environment={"Variables": variables}, Timeout=30, **more)


def layer(cloud: FunctionCloud) -> str:
    content = {"ZipFile": program({"extensions/listener": EXTENSION})}
    arn: str = cloud.client.publish_layer_version(LayerName="listener", Content=content)["LayerVersionArn"]
    return arn


def said(cloud: FunctionCloud, word: str) -> list[Any]:
    """Return what the extension has logged that begins with a word."""
    lines = [event["message"] for event in cloud.logged()]
    return [json.loads(line.partition(" ")[2]) for line in lines if line.startswith(f"{word} ")]


def received(cloud: FunctionCloud, *wanted: str) -> list[dict[str, Any]]:
    """Return the events that the extension has received, once there are some of these types."""

    def look() -> list[dict[str, Any]]:
        # What is halted takes nothing: another invocation lets it go on.
        assert invoke(cloud).error is None
        return said(cloud, "received")

    return eventually(look, lambda seen: {*wanted} <= {each["type"] for each in seen})


def records(events: list[dict[str, Any]], kind: str) -> list[Any]:
    return [event["record"] for event in events if event["type"] == kind]


def test_an_extension_is_told_what_happens(cloud: FunctionCloud) -> None:
    extended(cloud, subscription(types=["platform", "function"]))
    events = received(cloud, "platform.report", "function")
    assert said(cloud, "subscribed")[0] == [200, '"OK"']
    (start,) = records(events, "platform.initStart")
    assert (start["initializationType"], start["phase"]) == ("on-demand", "init")
    assert (start["functionName"], start["functionVersion"]) == ("f", "$LATEST")
    assert records(events, "platform.telemetrySubscription") == [
        {"name": "listener", "state": "Subscribed", "types": ["platform", "function"]}
    ]
    (done,) = records(events, "platform.initRuntimeDone")
    assert done == {"initializationType": "on-demand", "phase": "init", "status": "success"}
    (report,) = records(events, "platform.initReport")
    assert report["metrics"]["durationMs"] > 0
    extension = {"name": "listener", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    assert records(events, "platform.extension") == [extension]
    begun, ended = records(events, "platform.start")[0], records(events, "platform.runtimeDone")[0]
    assert begun == {"requestId": ended["requestId"], "version": "$LATEST"}
    assert (ended["status"], ended["metrics"]["durationMs"] > 0) == ("success", True)
    report = records(events, "platform.report")[0]
    assert report["requestId"] == begun["requestId"]
    assert report["metrics"]["initDurationMs"] > 0
    assert records(events, "function")[0] == "printed at the start"
    assert {"printed by the handler", "printed by a program", "written as an error"} <= set(records(events, "function"))
    assert records(events, "extension") == []
    assert {event["by"] for event in events} == {"POST /events?a=b"}
    assert all(event["time"].endswith("Z") for event in events)


def test_the_log_says_so(cloud: FunctionCloud) -> None:
    extended(cloud, subscription())
    invoke(cloud)

    def lines() -> list[str]:
        return [event["message"].rstrip() for event in cloud.logged()]

    seen = eventually(lines, lambda seen: any(line.startswith("REPORT") for line in seen))
    assert "TELEMETRY\tName: listener\tState: Subscribed\tTypes: [Platform, Function, Extension]" in seen
    assert "EXTENSION\tName: listener\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in seen


def test_what_extensions_print_is_told_apart(cloud: FunctionCloud) -> None:
    extended(cloud, subscription(types=["extension"], buffering={**QUICK, "timeoutMs": 1000}))
    events = received(cloud, "extension")
    assert {event["type"] for event in events} == {"extension"}
    assert records(events, "extension")[0].startswith("subscribed [200")


def test_custom_runtimes_and_their_extensions_are_told_apart(cloud: FunctionCloud) -> None:
    bootstrap = """#!/usr/bin/python3
import json, os, sys, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as asked:
        request = asked.headers["Lambda-Runtime-Aws-Request-Id"]
    print("printed by the runtime", flush=True)
    print("as an error", file=sys.stderr, flush=True)
    urllib.request.urlopen(urllib.request.Request(base + request + "/response", b"1"))
"""
    cloud.function(
        Runtime="provided.al2023",
        Code={"ZipFile": program({"bootstrap": bootstrap})},
        Layers=[layer(cloud)],
        Environment={"Variables": {"ASKED": json.dumps([subscription(types=["function"])])}},
        Timeout=30,
    )
    assert set(records(received(cloud, "function"), "function")) == {"printed by the runtime", "as an error"}


def test_lines_in_json_are_objects_where_logs_are(cloud: FunctionCloud) -> None:
    source = "def handler(event, context):\n    print('{\"a\": 1}')\n    print('plain')\n"
    logging = {"LogFormat": "JSON"}
    extended(cloud, subscription(types=["function"]), source=source, LoggingConfig=logging)
    found = records(received(cloud, "function"), "function")
    assert {"a": 1} in found
    assert "plain" in found


def test_lines_are_lines_in_the_first_schema(cloud: FunctionCloud) -> None:
    source = "def handler(event, context):\n    print('{\"a\": 1}')\n"
    asked = subscription(types=["function"], schemaVersion="2022-07-01")
    extended(cloud, asked, source=source, LoggingConfig={"LogFormat": "JSON"})
    assert '{"a": 1}' in records(received(cloud, "function"), "function")


def test_by_tcp_each_event_is_a_line(cloud: FunctionCloud) -> None:
    destination = {"protocol": "TCP", "port": "NUMBER"}
    extended(cloud, subscription(destination=destination), variables={"BY_TCP": "yes"})
    events = received(cloud, "platform.initStart", "platform.report", "function")
    assert "printed by the handler" in records(events, "function")


def test_an_extension_may_listen_at_all_addresses(cloud: FunctionCloud) -> None:
    extended(cloud, subscription(), variables={"LISTENS": "0.0.0.0"})
    assert records(received(cloud, "platform.start"), "platform.start")


def test_what_is_refused_comes_again(cloud: FunctionCloud) -> None:
    asked = subscription(destination={**HTTP, "method": "PUT"}, types=["platform"])
    extended(cloud, asked, variables={"REFUSALS": "2"})
    events = received(cloud, "platform.initStart", "platform.report")
    assert len(records(events, "platform.initStart")) == 1


def test_processes_at_once_have_extensions_that_listen_at_the_same_port(cloud: FunctionCloud) -> None:
    port = 20_000 + int(cloud.account) % 10_000
    source = f"import time\n{SOURCE.replace('return', 'time.sleep(0.5); return')}"
    asked = subscription(types=["platform"], destination={**HTTP, "URI": f"http://sandbox.localdomain:{port}"})
    content = program({"extensions/listener": EXTENSION.replace("(host, 0)", f"(host, {port})")})
    arn = cloud.client.publish_layer_version(LayerName="same", Content={"ZipFile": content})["LayerVersionArn"]
    variables = {"Variables": {"ASKED": json.dumps([asked])}}
    module(cloud, source, Layers=[arn], Environment=variables, Timeout=30)
    for _ in range(2):
        with ThreadPoolExecutor(2) as threads:
            assert [answer.error for answer in threads.map(lambda _: invoke(cloud), range(2))] == [None, None]
    eventually(
        lambda: records(said(cloud, "received"), "platform.initStart"),
        lambda seen: len(seen) == 2,
    )


def test_the_end_is_told_before_a_process_ends(cloud: FunctionCloud) -> None:
    # So long that nothing is delivered but at the end.
    extended(cloud, subscription(types=["platform"], buffering={**QUICK, "timeoutMs": 30_000}))
    assert invoke(cloud).value == "answered"
    cloud.client.update_function_configuration(FunctionName="f", Description="another")
    cloud.wait()
    assert invoke(cloud).value == "answered"
    eventually(lambda: records(said(cloud, "received"), "platform.report"))


def test_the_logs_api_tells_what_it_always_did(cloud: FunctionCloud) -> None:
    extended(cloud, subscription(LOGS))
    events = received(cloud, "platform.report", "platform.end", "function")
    kinds = {event["type"] for event in events}
    assert {"platform.logsSubscription", "platform.extension", "platform.start", "platform.runtimeDone"} <= kinds
    assert not {"platform.initStart", "platform.initReport", "platform.initRuntimeDone"} & kinds
    assert records(events, "platform.end")[0] == {"requestId": records(events, "platform.start")[0]["requestId"]}


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        ({**subscription(), "unknown": True}, 403, "Extension.UnknownExtensionIdentifier"),
        (subscription(schemaVersion="2021-03-18"), 400, "ValidationError"),
        (subscription(schemaVersion=None), 400, "ValidationError"),
        (subscription(types=["audit"]), 400, "ValidationError"),
        (subscription(types=[]), 400, "ValidationError"),
        (subscription(destination=None), 400, "ValidationError"),
        (subscription(destination={**HTTP, "URI": "http://example.com:80"}), 400, "ValidationError"),
        (subscription(destination={**HTTP, "URI": "https://sandbox.localdomain:PORT"}), 400, "ValidationError"),
        (subscription(destination={**HTTP, "URI": "http://sandbox.localdomain:99999"}), 400, "ValidationError"),
        (subscription(destination={**HTTP, "URI": "http://sandbox.localdomain:9001"}), 400, "ValidationError"),
        (subscription(destination={"protocol": "TCP"}), 400, "ValidationError"),
        (subscription(buffering={"maxItems": 999}), 400, "ValidationError"),
        (subscription(buffering={"timeoutMs": 24}), 400, "ValidationError"),
        (subscription(buffering={"maxBytes": 1048577}), 400, "ValidationError"),
    ],
)
def test_what_makes_no_sense_is_refused(cloud: FunctionCloud, asked: dict[str, Any], status: int, kind: str) -> None:
    extended(cloud, asked)
    invoke(cloud)
    found = eventually(lambda: said(cloud, "subscribed"))
    assert found[0][0] == status
    assert json.loads(found[0][1])["errorType"] == kind


def test_only_one_of_the_apis_can_be_used(cloud: FunctionCloud) -> None:
    extended(cloud, subscription(LOGS), subscription())
    invoke(cloud)
    found = eventually(lambda: said(cloud, "subscribed"), lambda seen: len(seen) == 2)
    assert [status for status, _ in found] == [200, 400]


def test_after_the_start_nobody_can_subscribe(cloud: FunctionCloud) -> None:
    extended(cloud, subscription(), variables={"LATE": TELEMETRY})
    invoke(cloud)
    found = eventually(lambda: said(cloud, "subscribed"), lambda seen: len(seen) == 2)
    assert (found[1][0], json.loads(found[1][1])["errorType"]) == (403, "Telemetry.SubscriptionClosed")


def test_an_extension_that_never_registers_is_an_error_of_the_start(cloud: FunctionCloud) -> None:
    content = program({"extensions/idle": "#!/bin/sh\nsleep 600\n"})
    arn = cloud.client.publish_layer_version(LayerName="idle", Content={"ZipFile": content})["LayerVersionArn"]
    python(cloud, "return 1", Layers=[arn])
    assert invoke(cloud).value["errorType"] == "Sandbox.Timedout"
