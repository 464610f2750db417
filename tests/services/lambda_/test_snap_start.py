"""SnapStart: versions that are initialised when they are published, and start from there."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.modes import meaningless_in
from tests.services.lambda_.cloud import RUNTIME, FunctionCloud
from tests.services.lambda_.programs import Answer, invoke, module, program, sandboxed
from tests.standing import eventually

of_one = meaningless_in("replicas", because="each replica has processes of its own for a function")
ON = {"ApplyOn": "PublishedVersions"}
COUNTING = """
import os, sys, time
from snapshot_restore_py import register_after_restore, register_before_snapshot

calls = ["init"]
time.sleep(0.3)

@register_before_snapshot
def first():
    calls.append("before: first registered")

register_before_snapshot(lambda text, more: calls.append(text + more), "before: ", more="last registered")
register_after_restore(lambda: calls.append("after: first registered"))

@register_after_restore
def last():
    calls.append("after: last registered")

def handler(event, context):
    calls.append("invoked")
    return {
        "calls": calls,
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "names": [name for name in os.environ if name.startswith("AWS_LAMBDA_LOG_")],
        "stream": context.log_stream_name,
    }
"""


def publish(cloud: FunctionCloud, *, state: str = "Active") -> dict[str, Any]:
    """Publish a version of `f`; return what is shown of it once it is in a state."""
    number = cloud.client.publish_version(FunctionName="f")["Version"]
    found: dict[str, Any] = eventually(
        lambda: cloud.client.get_function_configuration(FunctionName="f", Qualifier=number),
        lambda seen: bool(seen["State"] != "Pending"),
    )
    assert found["State"] == state, found
    return found


def restored(cloud: FunctionCloud, qualifier: str = "1", **more: Any) -> Answer:
    return invoke(cloud, Qualifier=qualifier, **more)


def streams(cloud: FunctionCloud) -> dict[str, list[str]]:
    """Return what is in the log of `f`, by stream."""
    found: dict[str, list[str]] = {}
    for event in cloud.logged():
        found.setdefault(event["logStreamName"], []).append(event["message"])
    return found


def test_what_applies_is_shown_of_the_function_and_of_versions(cloud: FunctionCloud) -> None:
    module(cloud, COUNTING)
    without = publish(cloud)
    cloud.client.update_function_configuration(FunctionName="f", SnapStart=ON)
    cloud.wait()
    latest = cloud.client.get_function_configuration(FunctionName="f")
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert publish(cloud)["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert without["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    cloud.client.update_function_configuration(FunctionName="f", SnapStart={"ApplyOn": "None"})
    cloud.wait()
    assert publish(cloud)["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}


@of_one
def test_a_version_is_initialised_when_it_is_published_and_goes_on_when_it_is_invoked(cloud: FunctionCloud) -> None:
    module(cloud, COUNTING, SnapStart=ON)
    created = cloud.client.publish_version(FunctionName="f")
    assert (created["State"], created["StateReasonCode"]) == ("Pending", "Creating")
    cloud.client.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
    )
    (initialised,) = eventually(lambda: list(streams(cloud).values()), lambda seen: bool(seen and len(seen[0]) > 1))
    assert initialised[0].startswith("INIT_START Runtime Version: ")
    took = re.fullmatch(r"INIT_REPORT Init Duration: ([\d.]+) ms\tPhase: init", initialised[1].strip())
    assert took is not None
    assert float(took[1]) > 300

    answer = restored(cloud)
    assert answer.value == {
        "calls": [
            "init",
            "before: last registered",
            "before: first registered",
            "after: first registered",
            "after: last registered",
            "invoked",
        ],
        "type": "snap-start",
        "names": ["AWS_LAMBDA_LOG_FORMAT"],
        "stream": None,
    }
    report = re.search(r"\tRestore Duration: ([\d.]+) ms\tBilled Restore Duration: (\d+) ms\t", answer.log)
    assert report is not None
    assert float(report[1]) < float(took[1])
    assert "Init Duration" not in answer.log

    def of_the_invocations() -> list[str]:
        return next((lines for lines in streams(cloud).values() if "RESTORE_START" in lines[0]), [])

    # With its report it is at rest, and what comes next is its own.
    eventually(of_the_invocations, lambda seen: len(seen) == 5)
    assert restored(cloud).value["calls"][-2:] == ["invoked", "invoked"]
    lines = eventually(of_the_invocations, lambda seen: len(seen) == 8)
    assert lines[0].startswith("RESTORE_START Runtime Version: ")
    assert re.fullmatch(r"RESTORE_REPORT Restore Duration: [\d.]+ ms", lines[1].strip())
    assert "Restore Duration" not in lines[-1]


def test_each_process_has_been_initialised(cloud: FunctionCloud) -> None:
    source = COUNTING.replace('calls.append("invoked")', 'calls.append("invoked"); time.sleep(event.get("for", 0))')
    module(cloud, source, SnapStart=ON, Timeout=30)
    publish(cloud)
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: invoke(cloud, {"for": 3}, Qualifier="1"), range(3)))
    for answer in answers:
        assert answer.value["calls"][-2:] == ["after: last registered", "invoked"]
        assert "Restore Duration" in answer.log


def test_the_unpublished_version_starts_as_usual(cloud: FunctionCloud) -> None:
    module(cloud, COUNTING, SnapStart=ON)
    answer = invoke(cloud)
    assert (answer.value["calls"], answer.value["type"]) == (["init", "invoked"], "on-demand")
    assert "Init Duration" in answer.log


def test_an_alias_leads_to_the_version(cloud: FunctionCloud) -> None:
    module(cloud, COUNTING, SnapStart=ON)
    publish(cloud)
    cloud.client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert restored(cloud, "live").value["type"] == "snap-start"


@pytest.mark.parametrize(
    ("source", "code", "reason"),
    [
        ("raise ValueError('no table')\ndef handler(event, context): pass", "RuntimeInitError", "ValueError: no table"),
        ("import os\nos._exit(3)\n", "RuntimeInitError", "exit status 3"),
        (
            "import snapshot_restore_py\nsnapshot_restore_py.register_before_snapshot(lambda: 1 / 0)\n"
            "def handler(event, context): pass",
            "RuntimeInitError",
            "Runtime.BeforeSnapshotError: ZeroDivisionError: division by zero",
        ),
        ("held = b'x' * (600 << 20)\nimport time\ntime.sleep(9)\n", "InitResourceExhausted", "signal: killed"),
    ],
)
def test_a_version_that_cannot_be_initialised_has_failed(
    cloud: FunctionCloud, source: str, code: str, reason: str
) -> None:
    module(cloud, source, SnapStart=ON)
    shown = publish(cloud, state="Failed")
    assert shown["StateReasonCode"] == f"FunctionError.{code}"
    assert reason in shown["StateReason"]
    assert shown["SnapStart"]["OptimizationStatus"] == "On"
    error, message, status = cloud.refused("invoke", FunctionName="f", Qualifier="1")
    assert (error, status) == ("ResourceConflictException", 409)
    assert "Failed" in message


def test_a_hook_that_fails_after_the_restoration_is_an_error_of_the_invocation(cloud: FunctionCloud) -> None:
    module(
        cloud,
        "import snapshot_restore_py\nsnapshot_restore_py.register_after_restore(lambda: 1 / 0)\n"
        "def handler(event, context): pass\n",
        SnapStart=ON,
    )
    publish(cloud)
    code, message, status = cloud.refused("invoke", FunctionName="f", Qualifier="1")
    assert (code, status) == ("SnapStartException", 400)
    assert "afterRestore() runtime hook encountered an error" in message
    eventually(
        lambda: [line.strip() for lines in streams(cloud).values() for line in lines],
        lambda seen: any(
            line.startswith("RESTORE_REPORT ") and line.endswith("Error Type: Runtime.AfterRestoreError")
            for line in seen
        ),
    )


def test_a_restoration_has_ten_seconds(cloud: FunctionCloud) -> None:
    module(
        cloud,
        "import snapshot_restore_py, time\nsnapshot_restore_py.register_after_restore(time.sleep, 60)\n"
        "def handler(event, context): pass\n",
        SnapStart=ON,
    )
    publish(cloud)
    code, _, status = cloud.refused("invoke", FunctionName="f", Qualifier="1")
    assert (code, status) == ("SnapStartTimeoutException", 408)


def test_logs_in_json_tell_of_the_restoration(cloud: FunctionCloud) -> None:
    module(cloud, COUNTING, SnapStart=ON, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    publish(cloud)
    restored(cloud)

    def told() -> dict[str, Any]:
        lines = [json.loads(line) for written in streams(cloud).values() for line in written]
        return {line["type"]: line["record"] for line in lines}

    seen = eventually(told, lambda seen: "platform.report" in seen)
    assert seen["platform.initStart"]["initializationType"] == "snap-start"
    assert seen["platform.initReport"]["status"] == "success"
    assert seen["platform.restoreStart"]["functionVersion"] == "1"
    assert seen["platform.restoreRuntimeDone"] == {"status": "success"}
    assert seen["platform.restoreReport"]["metrics"]["durationMs"] > 0
    assert seen["platform.report"]["metrics"]["restoreDurationMs"] > 0


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"Runtime": "python3.11"}, "InvalidParameterValueException", "python3.11 is not supported for SnapStart"),
        ({"Runtime": "nodejs22.x"}, "InvalidParameterValueException", "nodejs22.x is not supported for SnapStart"),
        ({"Runtime": "provided.al2023"}, "InvalidParameterValueException", "is not supported for SnapStart"),
        ({"EphemeralStorage": {"Size": 513}}, "InvalidParameterValueException", "more than 512 MB"),
        ({"SnapStart": {"ApplyOn": "Always"}}, "ValidationException", "PublishedVersions"),
    ],
)
def test_what_cannot_have_it(cloud: FunctionCloud, given: dict[str, Any], code: str, message: str) -> None:
    params = {
        "FunctionName": "f",
        "Runtime": RUNTIME,
        "Role": cloud.role,
        "Handler": "index.handler",
        "Code": {"ZipFile": program({"index.py": COUNTING})},
        "SnapStart": ON,
        **given,
    }
    found = cloud.refused("create_function", **params)
    assert found[0] == code
    assert message in found[1]


def test_a_function_with_it_cannot_be_changed_to_what_has_it_not(cloud: FunctionCloud) -> None:
    module(cloud, COUNTING, SnapStart=ON)
    error = cloud.refused("update_function_configuration", FunctionName="f", EphemeralStorage={"Size": 1024})
    assert error[0] == "InvalidParameterValueException"


def test_provisioned_concurrency_is_refused(cloud: FunctionCloud) -> None:
    module(cloud, COUNTING, SnapStart=ON)
    publish(cloud)
    given = {"FunctionName": "f", "ProvisionedConcurrentExecutions": 1}
    error = cloud.refused("put_provisioned_concurrency_config", Qualifier="1", **given)
    assert error[0] == "InvalidParameterValueException"
    cloud.client.update_function_configuration(FunctionName="f", SnapStart={"ApplyOn": "None"})
    cloud.wait()
    publish(cloud)
    cloud.client.create_alias(FunctionName="f", Name="live", FunctionVersion="2")
    cloud.client.put_provisioned_concurrency_config(Qualifier="live", **given)
    error = cloud.refused("update_alias", FunctionName="f", Name="live", FunctionVersion="1")
    assert error[0] == "InvalidParameterValueException"


def test_a_version_whose_runtime_is_not_there_has_failed(cloud: FunctionCloud) -> None:
    cloud.function(Runtime="java21", SnapStart=ON, wait=False)
    eventually(lambda: cloud.client.get_function_configuration(FunctionName="f")["State"] == "Failed")
    assert publish(cloud, state="Failed")["StateReasonCode"] == "InvalidRuntime"


@of_one
@pytest.mark.parametrize("qualifier", ["1", None])
def test_what_waits_ends_with_the_version(cloud: FunctionCloud, qualifier: str | None) -> None:
    marker = f"600.{cloud.account}"
    module(cloud, f"import subprocess\nsubprocess.Popen(['sleep', '{marker}'])\ndef handler(e, c): pass", SnapStart=ON)
    publish(cloud)
    # What it is called shows a moment after it runs.
    assert len(eventually(lambda: sandboxed(marker))) == 1
    cloud.client.delete_function(FunctionName="f", **({} if qualifier is None else {"Qualifier": qualifier}))
    eventually(lambda: not sandboxed(marker))


def test_after_a_crash_a_version_is_published_and_starts_anew(tmp_path: Path) -> None:
    account = "123456789012"
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        module(cloud, COUNTING.replace("0.3", "2"), SnapStart=ON, Timeout=30)
        cloud.client.publish_version(FunctionName="f")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        cloud.client.get_waiter("published_version_active").wait(
            FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
        )
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        answer = restored(cloud)
        assert answer.value["calls"][-2:] == ["after: last registered", "invoked"]
        assert "Restore Duration" in answer.log
