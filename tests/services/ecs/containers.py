"""Images for tasks, pushed to ECR, and tasks that run them."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws
from tests.modes import MODE
from tests.services.ecr.registry import CONFIG, LAYER, MANIFEST, Made, describe, open_registry

_COMMANDS = (
    *("cat", "chown", "echo", "env", "false", "grep", "head", "httpd", "id", "kill", "ls", "mkdir", "nc", "nslookup"),
    *("sh", "sleep", "stat", "test", "touch", "tr", "true", "wc", "wget"),
)
_ACCOUNTS = "root:x:0:0::/root:/bin/sh\nwww:x:999:999::/srv:/bin/sh\n"
WAIT_SECONDS = 60.0


@cache
def make_layer() -> bytes:
    """Return a layer that has busybox, a static program which is all of its commands."""
    found = shutil.which("busybox")
    assert found is not None, "scripts/environment work installs busybox-static"
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:

        def add(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "", owner: int = 0) -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, link, len(content)
            entry.mode, entry.uid, entry.gid = 0o755, owner, owner
            archive.addfile(entry, io.BytesIO(content))

        for folder in ("bin", "etc", "tmp", "root"):
            add(folder, kind=tarfile.DIRTYPE)
        add("srv", kind=tarfile.DIRTYPE, owner=999)
        add("bin/busybox", Path(found).read_bytes())
        for command in _COMMANDS:
            add(f"bin/{command}", kind=tarfile.SYMTYPE, link="busybox")
        add("etc/passwd", _ACCOUNTS.encode())
        add("etc/group", b"root:x:0:\nwww:x:999:\n")
        add("srv/index.html", b"hello from a task\n", owner=999)
    return gzip.compress(held.getvalue(), 1)


def make_image(**config: Any) -> Made:
    """Return an image with busybox; `config` is how its programs are run."""
    layer = make_layer()
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin", "COLOUR=green"], "Cmd": ["sleep", "1000"], **config},
        "rootfs": {"type": "layers", "diff_ids": [describe(gzip.decompress(layer), "")["digest"]]},
    }
    config_blob = json.dumps(document).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": describe(config_blob, CONFIG),
        "layers": [describe(layer, LAYER)],
    }
    return Made(json.dumps(manifest).encode(), (config_blob, layer))


class Tasks:
    """ECS of an account, with a cluster and an image."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.ecs = aws.client("ecs")
        self.registry = open_registry(aws, "tools")
        self.digest = self.registry.push(make_image(), "v1")
        self.image = f"{aws.account}.dkr.ecr.us-east-1.amazonaws.com/tools:v1"
        self.ecs.create_cluster(clusterName="default")
        if MODE == "strict":
            for name, service in (("ecsInstanceRole", "ec2"), ("execution", "ecs-tasks"), ("worker", "ecs-tasks")):
                self.create_role(name, f"{service}.amazonaws.com")

    def create_role(self, name: str, service: str) -> None:
        """Create a role that a service may assume, and that may do everything."""
        iam = self.aws.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=text)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)

    def push(self, tag: str, **config: Any) -> str:
        """Push another image; return its name."""
        self.registry.push(make_image(**config), tag)
        return f"{self.image.rpartition(':')[0]}:{tag}"

    def register(self, *containers: Mapping[str, Any], family: str = "job", mode: str = "host", **more: Any) -> str:
        """Register a task definition of containers, which have an image and memory if nothing else is said."""
        given = [{"name": "main", "image": self.image, "memory": 128, **each} for each in containers]
        full = [{name: value for name, value in each.items() if value is not None} for each in given]
        made = self.ecs.register_task_definition(family=family, networkMode=mode, containerDefinitions=full, **more)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def run(self, *containers: Mapping[str, Any], mode: str = "host", run: Mapping[str, Any] = {}, **more: Any) -> str:
        """Run a task of containers; return its ARN."""
        definition = self.register(*containers, mode=mode, **more)
        answer = self.ecs.run_task(taskDefinition=definition, **run)
        assert not answer["failures"]
        return str(answer["tasks"][0]["taskArn"])

    def describe(self, arn: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_tasks(tasks=[arn], include=["TAGS"])["tasks"]
        return dict(found)

    def wait(self, arn: str, wanted: str | Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until a task is in a state, or as a function wants it."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            found = self.describe(arn)
            if found["lastStatus"] == wanted if isinstance(wanted, str) else wanted(found):
                return found
            assert isinstance(wanted, str) is False or found["lastStatus"] != "STOPPED", found
            assert time.monotonic() < until, found
            time.sleep(0.02)

    def finish(self, *containers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Run a task to its end."""
        return self.wait(self.run(*containers, **more), "STOPPED")

    def read(self, arn: str, group: str = "/ecs/job", container: str = "main", prefix: str = "ecs") -> list[str]:
        """Return what a container has logged."""
        stream = f"{prefix}/{container}/{arn.rpartition('/')[2]}"
        found = self.aws.client("logs").get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        return [event["message"] for event in found["events"]]


LOGS = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/ecs/job",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "ecs",
        "awslogs-create-group": "true",
    },
}
