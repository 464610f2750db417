"""The pytest plugin, as a project that tests with it sees it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from cloudlet.testing.asking import Unanswered, health
from cloudlet.testing.server import Aws, Server


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_may_create_the_same_bucket(aws: Aws, turn: int) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="the-same-in-two-tests", ObjectLockEnabledForBucket=True)
    for body in (b"a desk", b"a chair"):
        s3.put_object(
            Bucket="the-same-in-two-tests",
            Key="desk",
            Body=body,
            ObjectLockMode="GOVERNANCE",
            ObjectLockRetainUntilDate="2099-01-01T00:00:00Z",
        )
    s3.delete_object(Bucket="the-same-in-two-tests", Key="desk")
    s3.create_multipart_upload(Bucket="the-same-in-two-tests", Key="unfinished")


def test_what_object_lock_keeps_stays(cloudlet_server: Server) -> None:
    with cloudlet_server.account() as aws:
        s3, kept = aws.client("s3"), f"kept-{aws.account}"
        s3.create_bucket(Bucket=kept, ObjectLockEnabledForBucket=True)
        s3.put_object(Bucket=kept, Key="desk", ObjectLockLegalHoldStatus="ON")
        s3.create_bucket(Bucket=f"other-{aws.account}")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [kept]


def test_the_sessions_clients_and_resources_come_to_cloudlet(aws: Aws) -> None:
    assert aws.session.client("sts").get_caller_identity()["Account"] == aws.account
    queue = aws.session.resource("sqs").create_queue(QueueName="orders")
    assert queue.url == f"{aws.endpoint}/{aws.account}/orders"
    assert aws.session.client("sqs", "eu-west-1").meta.region_name == "eu-west-1"


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://localhost:1")


@pytest.mark.usefixtures("profile")
def test_a_profile_in_the_environment_does_not_lead_elsewhere(request: pytest.FixtureRequest) -> None:
    aws = request.getfixturevalue("aws_environment")
    assert boto3.client("sts").get_caller_identity()["Account"] == aws.account


@pytest.fixture(scope="module")
def shared(cloudlet_server: Server) -> Iterator[Aws]:
    with cloudlet_server.account() as aws:
        yield aws


def test_a_module_has_an_account_of_its_own(shared: Aws, aws: Aws) -> None:
    assert shared.account != aws.account
    assert shared.client("sts").get_caller_identity()["Account"] == shared.account


def test_a_cloudlet_that_runs_can_be_used(cloudlet_server: Server, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(aws):\n    aws.client('sts').get_caller_identity()\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path), "--cloudlet-endpoint"]
    run = subprocess.run([*command, f"{cloudlet_server.endpoint}/"], capture_output=True, text=True)
    assert "1 passed" in run.stdout


def test_what_is_no_cloudlet_is_said_to_be_none(cloudlet_server: Server) -> None:
    for endpoint, said in (
        (f"{cloudlet_server.endpoint}/photos", "what answers at .* is no Cloudlet"),
        ("http://localhost:1", "no Cloudlet answers at http://localhost:1$"),
    ):
        with pytest.raises(Unanswered, match=said):
            health(endpoint)


def test_a_test_run_that_is_killed_takes_its_cloudlet_along(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(aws, cloudlet_server):\n"
        "    aws.client('sqs').create_queue(QueueName='orders')\n"
        "    print('runs', cloudlet_server.process.pid, flush=True)\n"
        "    input()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(tmp_path)]
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout is not None
        line = next(line for line in run.stdout if line.startswith("runs"))
        cloudlet = os.pidfd_open(int(line.split()[1]))
        run.kill()
    ended, _, _ = select.select([cloudlet], [], [], 20)
    os.close(cloudlet)
    assert ended, "Cloudlet goes on"
    assert [folder.name for folder in temporary.iterdir()] == [f"cloudlet-{os.getuid()}"]
