"""Functions where Cloudlet is an ordinary user or has no control groups, and where it runs them without sandboxes.

An ordinary user has no control groups either, where none are delegated to it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.contained import ImageCloud, Images
from tests.services.lambda_.programs import invoke, module, program, python, sandboxed
from tests.services.lambda_.test_invoke import BOOTSTRAP, EXTENSION, logged
from tests.standing import eventually

ORDINARY = 54_321
"""A user that the machine does not know."""
NO_CONTROL_GROUPS = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"')
"""Runs a command that finds none, as root."""


class Surroundings(NamedTuple):
    """How a Cloudlet runs."""

    server: Server
    data: Path
    user: int | None
    """None where it is that of the tests."""
    is_sandboxed: bool
    limits_processes_alone: bool
    """Whether there are no control groups, so that each process is limited for itself."""


def is_readable(path: str) -> bool:
    """Whether everybody may read something."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in Path(path).resolve().parents)


@pytest.fixture(
    scope="module",
    params=["ordinary user", "no control groups", "ordinary user without sandboxes", "without sandboxes"],
)
def surroundings(request: pytest.FixtureRequest) -> Iterator[Surroundings]:
    kind: str = request.param
    user = None
    if kind.startswith("ordinary"):
        if os.geteuid() != 0:
            pytest.skip("the other tests are run by an ordinary user already")
        if not is_readable(sys.executable) or not is_readable(__file__):
            pytest.skip("other users cannot read where the tests are")
        user = ORDINARY
    wrapper: Sequence[str] = ()
    if kind == "no control groups":
        if os.geteuid() != 0:
            pytest.skip("only root can hide them")
        wrapper = NO_CONTROL_GROUPS
    # Not one of pytest's folders, which are for its own user alone.
    data = tempfile.mkdtemp(prefix="cloudlet-test-")
    if user is not None:
        os.chown(data, user, user)
    options = ["--sandbox", "none"] if kind.endswith("without sandboxes") else []
    try:
        with Server.start("--data", data, *options, env={"HOME": data}, user=user, wrapper=wrapper) as server:
            yield Surroundings(server, Path(data), user, not options, user is not None or bool(wrapper))
    finally:
        shutil.rmtree(data)


@pytest.fixture
def cloud(surroundings: Surroundings) -> FunctionCloud:
    return FunctionCloud(Aws(surroundings.server.endpoint, fresh_account()))


def test_a_function_finds_its_code_and_the_sdk(cloud: FunctionCloud) -> None:
    source = """
import boto3, os
import beside

def handler(event, context):
    boto3.client("sqs").create_queue(QueueName="from-inside")
    with open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "data.txt")) as file:
        return [beside.value, file.read(), os.path.samefile(os.getcwd(), os.environ["LAMBDA_TASK_ROOT"])]
"""
    files = {"index.py": source, "beside.py": "value = 7\n", "data.txt": "data"}
    cloud.function(Code={"ZipFile": program(files)}, Timeout=30)
    assert invoke(cloud).value == [7, "data", True]
    assert invoke(cloud).value == [7, "data", True]
    assert cloud.aws.client("sqs").get_queue_url(QueueName="from-inside")


def test_whose_process_it_is(cloud: FunctionCloud, surroundings: Surroundings) -> None:
    python(cloud, "return [os.getuid(), os.getpid()]")
    user, process = invoke(cloud).value
    if surroundings.is_sandboxed and surroundings.user is None and os.getuid() == 0:
        assert user > 1_600_000_000
    else:
        assert user == (993 if surroundings.is_sandboxed else surroundings.user or os.getuid())
    assert (process < 100) == surroundings.is_sandboxed


def test_a_sandbox_shows_nothing_of_the_machine(cloud: FunctionCloud, surroundings: Surroundings) -> None:
    if not surroundings.is_sandboxed:
        pytest.skip("there is none")
    body = (
        "return [os.listdir('/'), os.path.exists('/etc/shadow'), os.listdir('/home') if os.path.exists('/home') else 0]"
    )
    python(cloud, body)
    folders, shadow, homes = invoke(cloud).value
    assert not {"work", "root", "home"} & set(folders)
    assert (shadow, homes) == (False, 0)


def test_layers_are_found(cloud: FunctionCloud) -> None:
    layers = [
        cloud.client.publish_layer_version(
            LayerName=name, Content={"ZipFile": program({f"python/{name}.py": "v = 1\n"})}
        )
        for name in ("one", "two")
    ]
    body = "import one, two\nreturn one.v + two.v"
    python(cloud, body, Layers=[layer["LayerVersionArn"] for layer in layers])
    assert invoke(cloud).value == 2


def test_node(cloud: FunctionCloud, node_runtime: str) -> None:
    source = "exports.handler = async (event) => [event.n, require('beside').value, require('./own').value];"
    content = program({"nodejs/node_modules/beside/index.js": "exports.value = 7;"})
    layer = cloud.client.publish_layer_version(LayerName="more", Content={"ZipFile": content})["LayerVersionArn"]
    code = {"ZipFile": program({"index.js": source, "own.js": "exports.value = 8;"})}
    cloud.function(Runtime=node_runtime, Code=code, Layers=[layer], Timeout=30)
    assert invoke(cloud, {"n": 1}).value == [1, 7, 8]


def test_custom_runtimes(cloud: FunctionCloud) -> None:
    code = {"ZipFile": program({"bootstrap": BOOTSTRAP})}
    cloud.function(Runtime="provided.al2023", Code=code, Timeout=30)
    assert invoke(cloud, {"n": 1}).error is None


def test_extensions(cloud: FunctionCloud) -> None:
    content = program({"extensions/watcher": EXTENSION})
    layer = cloud.client.publish_layer_version(LayerName="watcher", Content={"ZipFile": content})["LayerVersionArn"]
    python(cloud, "return 'answered'", Layers=[layer], Timeout=30)
    assert invoke(cloud).value == "answered"
    eventually(lambda: logged(cloud), lambda found: "registered for f" in found)


def test_wrappers(cloud: FunctionCloud) -> None:
    wrapper = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    source = (
        "import os\ndef handler(event, context):\n    return open('/proc/self/environ').read().count('WRAPPED=yes')\n"
    )
    cloud.function(
        Code={"ZipFile": program({"index.py": source, "wrapper": wrapper})},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )
    assert invoke(cloud).value == 1


def test_many_files(cloud: FunctionCloud) -> None:
    files = {f"file{number}.txt": "" for number in range(500)}
    source = "import os\ndef handler(event, context):\n    return len(os.listdir('.'))\n"
    cloud.function(Code={"ZipFile": program({"index.py": source, **files})})
    assert invoke(cloud).value == 501


def test_snap_start(cloud: FunctionCloud) -> None:
    source = "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n"
    module(cloud, source, SnapStart={"ApplyOn": "PublishedVersions"})
    cloud.client.publish_version(FunctionName="f")
    cloud.client.get_waiter("published_version_active").wait(
        FunctionName="f", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
    )
    assert invoke(cloud, Qualifier="1").value == "snap-start"


def test_what_takes_too_long_ends_with_all_that_it_has_started(cloud: FunctionCloud) -> None:
    marker = f"600.{cloud.account}"
    python(cloud, f"import subprocess\nsubprocess.run(['sleep', '{marker}'])", Timeout=1)
    answer = invoke(cloud)
    assert answer.value["errorType"] == "Sandbox.Timedout"
    eventually(lambda: not sandboxed(marker))


def test_a_process_cannot_have_far_more_memory_than_its_function(
    cloud: FunctionCloud, surroundings: Surroundings
) -> None:
    if not surroundings.limits_processes_alone:
        pytest.skip("there are control groups")
    python(cloud, "return 'well'", "other")
    python(cloud, "x = bytearray(1 << 30)\nreturn len(x)")
    answer = invoke(cloud)
    assert (answer.error, answer.value["errorType"]) == ("Unhandled", "MemoryError")
    assert invoke(cloud, name="other").value == "well"


LIMITED = f"Max data size {(128 + 40 + 256) << 20} {(128 + 40 + 256) << 20} bytes"
"""As /proc/self/limits says it: a function's memory, the runtime's, and what is for stacks."""


def test_however_it_is_started_a_process_is_limited(cloud: FunctionCloud, surroundings: Surroundings) -> None:
    if not surroundings.limits_processes_alone:
        pytest.skip("there are control groups")
    body = "return [' '.join(line.split()) for line in open('/proc/self/limits')]"
    layer = cloud.client.publish_layer_version(LayerName="l", Content={"ZipFile": program({"python/l.py": "v = 1\n"})})
    python(cloud, body, "had-waited")
    python(cloud, body, "on-its-own", Layers=[layer["LayerVersionArn"]])
    python(cloud, body, "from-a-snapshot", SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
    cloud.client.get_waiter("published_version_active").wait(
        FunctionName="from-a-snapshot", Qualifier="1", WaiterConfig={"Delay": 0.05, "MaxAttempts": 600}
    )
    assert LIMITED in invoke(cloud, name="had-waited").value
    assert LIMITED in invoke(cloud, name="on-its-own").value
    assert LIMITED in invoke(cloud, name="from-a-snapshot", Qualifier="1").value


def test_custom_runtimes_are_limited(cloud: FunctionCloud, surroundings: Surroundings) -> None:
    if not surroundings.limits_processes_alone:
        pytest.skip("there are control groups")
    said = "print(*(' '.join(line.split()) for line in open('/proc/self/limits')), sep='\\n', flush=True)"
    bootstrap = BOOTSTRAP.replace("\n", f"\n{said}\n", 1)
    cloud.function(Runtime="provided.al2023", Code={"ZipFile": program({"bootstrap": bootstrap})}, Timeout=30)
    assert invoke(cloud, {"n": 1}).error is None
    eventually(lambda: logged(cloud), lambda found: LIMITED in found)


def test_processes_cannot_have_more_memory_together_than_their_function(
    cloud: FunctionCloud, surroundings: Surroundings
) -> None:
    if not surroundings.limits_processes_alone:
        pytest.skip("there are control groups")
    taking = "import subprocess\nhold = 'x = bytearray(100 << 20); import time; time.sleep(60)'\n"
    python(cloud, "return 'well'", "other")
    python(
        cloud,
        f"{taking}for _ in range(4): subprocess.Popen([sys.executable, '-c', hold])\ntime.sleep(60)",
        Timeout=40,
    )
    answer = invoke(cloud)
    assert (answer.error, answer.value["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "Error Type: Runtime.OutOfMemory" in answer.log
    assert invoke(cloud, name="other").value == "well"


def test_memory_is_measured(cloud: FunctionCloud) -> None:
    python(cloud, "x = bytearray(60 << 20)\ntime.sleep(0.2)\nreturn len(x)")
    used = re.search(r"Max Memory Used: (\d+) MB", invoke(cloud).log)
    assert used is not None
    assert 60 <= int(used[1]) < 110


def test_node_cannot_have_far_more_memory_than_its_function(
    cloud: FunctionCloud, surroundings: Surroundings, node_runtime: str
) -> None:
    if not surroundings.limits_processes_alone:
        pytest.skip("there are control groups")
    source = (
        "exports.handler = async (event) => { const held = [];"
        " while (held.length < event.mb) held.push(Buffer.alloc(1 << 20, 1)); return held.length; };"
    )
    cloud.function(Runtime=node_runtime, Code={"ZipFile": program({"index.js": source})}, Timeout=40)
    assert invoke(cloud, {"mb": 60}).value == 60
    answer = invoke(cloud, {"mb": 2000})
    assert (answer.error, answer.value["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert "signal: " in answer.value["errorMessage"]
    assert invoke(cloud, {"mb": 60}).value == 60


def test_processes_are_limited_for_each_function(cloud: FunctionCloud, surroundings: Surroundings) -> None:
    if not surroundings.is_sandboxed:
        pytest.skip("all are one user's, whose processes are not limited")
    forking = """
import os, resource, signal
pids = []
try:
    while len(pids) < 1200:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        pids.append(pid)
except OSError as error:
    return [len(pids), str(error)]
finally:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
"""
    python(cloud, forking, Timeout=60, MemorySize=10_240)
    count, said = invoke(cloud).value
    assert 900 < count < 1024
    assert "Resource temporarily unavailable" in said
    python(cloud, "import subprocess\nreturn subprocess.run(['true']).returncode", "other")
    assert invoke(cloud, name="other").value == 0


def test_processes_at_once(cloud: FunctionCloud) -> None:
    python(cloud, "time.sleep(0.3)\nreturn os.environ['AWS_LAMBDA_LOG_STREAM_NAME']", Timeout=30)
    with ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(lambda _: invoke(cloud).value, range(3)))) == 3


def test_nothing_is_left_when_cloudlet_ends(surroundings: Surroundings) -> None:
    data = tempfile.mkdtemp(prefix="cloudlet-test-")
    if surroundings.user is not None:
        os.chown(data, surroundings.user, surroundings.user)
    options = [] if surroundings.is_sandboxed else ["--sandbox", "none"]
    account = fresh_account()
    marker = f"600.{account}"
    with Server.start("--data", data, *options, env={"HOME": data}, user=surroundings.user) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        module(cloud, f"import subprocess\nsubprocess.Popen(['sleep', '{marker}'])\ndef handler(e, c): return 1\n")
        assert invoke(cloud).value == 1
        # What it has started may be about to become `sleep` yet.
        eventually(lambda: len(sandboxed(marker)), lambda found: found == 1)
    assert not sandboxed(marker)
    assert not list(Path(data).glob("sandboxes/lambda/*"))
    shutil.rmtree(data)


def test_images_need_sandboxes(surroundings: Surroundings) -> None:
    cloud = ImageCloud(Aws(surroundings.server.endpoint, fresh_account()), Images(surroundings.data))
    cloud.images.make()
    cloud.contained()
    if surroundings.is_sandboxed:
        assert invoke(cloud, {"n": "1"}).value["event"] == {"n": "1"}
        return
    code, message, status = cloud.refused("invoke", FunctionName="f")
    assert (code, status) == ("ServiceException", 500)
    assert "runs in sandboxes only" in message
