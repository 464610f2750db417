"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.cli.coverage import page
from cloudlet.edge.tls import local_certificate
from cloudlet.store.format import FORMAT
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.certificates import request_validated
from tests.commands import cloudlet, free_port
from tests.trusting import TrustingAws

ROOT = Path(__file__).parents[2]
ROOT_KEY = "111122223333:AKIAKNOWN:secret"


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[str]:
    """The port of a Cloudlet in the background, with its data in tmp_path."""
    port = str(free_port())
    started = cloudlet("up", "--detach", "--port", port, "--data", str(tmp_path / "data"))
    assert started.returncode == 0, started.stderr
    assert "Ready." in started.stdout
    yield port
    cloudlet("down", "--port", port)


def test_up_status_env_and_down(detached: str, tmp_path: Path) -> None:
    status = cloudlet("status", "--port", detached)
    assert status.returncode == 0
    assert f"listening on  http://127.0.0.1:{detached}" in status.stdout
    assert str(tmp_path / "data") in status.stdout
    assert re.search(r"sqs +available", status.stdout)
    known = json.loads(cloudlet("status", "--json", "--port", detached).stdout)
    assert known["services"]["sts"] == "available"
    exports = cloudlet("env", "--port", detached, "--account", "123456789012").stdout
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{detached}\n" in exports
    assert "export AWS_ACCESS_KEY_ID=123456789012\n" in exports
    assert cloudlet("down", "--port", detached).returncode == 0
    assert cloudlet("status", "--port", detached).returncode == 3
    assert cloudlet("down", "--port", detached).returncode == 3


def test_nobody_else_sees_the_data(detached: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for path in (data, data / "blocks", data / "snapshots", data / "cloudlet.log", data / "master.key"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_data_folder_of_others_is_left_as_it_is(tmp_path: Path) -> None:
    """But for what is Cloudlet's in it, also where an earlier one left that open."""
    data = tmp_path / "shared"
    (data / "blocks").mkdir(parents=True)
    for path in (data, data / "blocks"):
        path.chmod(0o755)
    with Server.start("--data", str(data)):
        assert data.stat().st_mode & 0o777 == 0o755
        folders = [path for path in data.iterdir() if path.is_dir()]
        assert {"blocks", "sandboxes", "unpacked", "work"} <= {folder.name for folder in folders}
        assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


def test_the_aws_cli_works_with_what_env_prints(detached: str) -> None:
    script = (
        f'eval "$({sys.executable} -m cloudlet env --port {detached})" && '
        "aws sts get-caller-identity && aws --endpoint-url $AWS_ENDPOINT_URL sqs create-queue --queue-name q"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert done.returncode == 0, done.stderr
    assert '"Account": "000000000000"' in done.stdout
    assert f"http://127.0.0.1:{detached}/000000000000/q" in done.stdout


def test_env_leaves_the_keys_alone_that_strict_mode_asks_for() -> None:
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", ROOT_KEY) as server:
        exports = cloudlet("env", "--port", server.port).stdout
        assert f"export AWS_ENDPOINT_URL={server.endpoint}\n" in exports
        assert "AWS_ACCESS_KEY_ID" not in exports
        assert "AWS_SECRET_ACCESS_KEY" not in exports


def test_env_says_where_clients_reach_it() -> None:
    endpoint = "https://cloud.example.com:8443"
    with Server.start("--ephemeral", "--endpoint", f"{endpoint}/", "--isolate") as server:
        exports = cloudlet("env", "--port", server.port).stdout
        assert f"export AWS_ENDPOINT_URL={endpoint}\n" in exports
        # A block's own port would lead past it.
        assert "AWS_ENDPOINT_URL_" not in exports
        assert f"  endpoint      {endpoint}\n" in cloudlet("status", "--port", server.port).stdout
        assert json.loads(cloudlet("status", "--json", "--port", server.port).stdout)["endpoint"] == endpoint


def test_env_of_none_that_runs_says_so() -> None:
    done = cloudlet("env", "--port", "1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "cloudlet: no Cloudlet runs on port 1\n")


def test_env_has_clients_trust_a_certificate_of_its_own_beside_others(tmp_path: Path) -> None:
    """Git and Node.js go elsewhere, too: they trust whom the machine and the user trust, and Cloudlet."""
    company, _, _ = local_certificate(tmp_path / "company", "localhost")
    with Server.start("--data", str(tmp_path / "data"), "--tls") as server:
        evaluate = f'eval "$({sys.executable} -m cloudlet env --port {server.port})"'
        shown = 'echo "$AWS_CA_BUNDLE $NODE_EXTRA_CA_CERTS $GIT_SSL_CAINFO"'
        # What was there before is still trusted when it is done again.
        script = f"{evaluate} && {evaluate} && {shown} && git ls-remote {server.endpoint}/photos"
        environment = {**os.environ, "GIT_SSL_CAINFO": str(company), "NODE_EXTRA_CA_CERTS": "/nowhere"}
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment)
    tls = tmp_path / "data" / "tls"
    together = tls / "authorities.pem"
    assert done.stdout == f"{tls / 'ca.pem'} {together} {together}\n", done.stderr
    trusted = ssl.create_default_context(cafile=str(together)).get_ca_certs(binary_form=True)
    for authority in (company, tls / "ca.pem"):
        assert ssl.PEM_cert_to_DER_cert(authority.read_text()) in trusted
    assert len(trusted) > 10
    # It has come so far as to be told that there is no repository.
    assert "certificate" not in done.stderr
    assert f"repository '{server.endpoint}/photos/' not found" in done.stderr


def test_env_has_clients_trust_the_certificates_of_acm_once_there_are_some(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path), "--tls") as server:
        together = tmp_path / "tls" / "authorities.pem"
        cloudlet("env", "--port", server.port)
        before = ssl.create_default_context(cafile=str(together)).get_ca_certs()
        aws = TrustingAws(server.endpoint, fresh_account(), data=tmp_path)
        acm: Any = aws.client("acm")
        arn = request_validated(aws, DomainName="example.com")
        chain = acm.get_certificate(CertificateArn=arn)["CertificateChain"]
        cloudlet("env", "--port", server.port)
        after = ssl.create_default_context(cafile=str(together)).get_ca_certs()
    (root,) = [authority for authority in after if authority not in before]
    assert (("commonName", "Cloudlet Root CA"),) in root["subject"]
    assert chain.split("-----BEGIN CERTIFICATE-----")[-1].strip() in together.read_text()


def test_env_puts_aside_what_would_lead_clients_elsewhere(cloudlet_server: Server) -> None:
    elsewhere = {"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "x", "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}
    said = {f"unset {name}" for name in elsewhere}
    assert said <= set(cloudlet("env", "--port", cloudlet_server.port, **elsewhere).stdout.splitlines())
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", ROOT_KEY) as server:
        # The keys are the user's own, and so is where they come from.
        exports = cloudlet("env", "--port", server.port, **elsewhere).stdout.splitlines()
    assert said & set(exports) == {"unset AWS_ENDPOINT_URL_SQS"}


def test_coverage_lists_the_operations_of_a_service(aws: Aws) -> None:
    listed = cloudlet("coverage", "sts").stdout.splitlines()
    assert "GetCallerIdentity" in listed
    assert "AssumeRoot (not built)" in listed
    # Who meets what is missing is told of it.
    sts = aws.client("sts", config=boto3.session.Config(retries={"total_max_attempts": 1}))
    with pytest.raises(sts.exceptions.ClientError, match="`cloudlet coverage sts` lists what it does"):
        sts.get_delegated_access_token(TradeInToken="token")


def test_a_block_is_stopped_only_where_it_runs_alone(detached: str) -> None:
    refused = cloudlet("block", "stop", "sqs", "--port", detached)
    assert (refused.returncode, "started with --isolate" in refused.stderr) == (1, True), refused.stderr


def test_an_ephemeral_one_in_the_background_has_its_log_where_no_other_user_has_one(tmp_path: Path) -> None:
    port, others = str(free_port()), tmp_path / "cloudlet.log"
    others.mkdir()
    started = cloudlet("up", "--detach", "--ephemeral", "--port", port, TMPDIR=str(tmp_path), XDG_RUNTIME_DIR="")
    try:
        assert started.returncode == 0, started.stderr
        assert f"its log is {tmp_path}/cloudlet-{os.getuid()}/cloudlet.log" in started.stdout
    finally:
        cloudlet("down", "--port", port, TMPDIR=str(tmp_path), XDG_RUNTIME_DIR="")


def test_two_do_not_share_a_data_folder(detached: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for options in ((), ("--detach",)):
        second = cloudlet("up", *options, "--port", "0", "--data", str(data))
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr.startswith(f"cloudlet: Cloudlet runs on {data} already, on port {detached}: ")
        assert len(second.stderr.splitlines()) == 1


def test_a_data_folder_that_is_named_in_another_way_is_not_shared_either(detached: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data")
    second = cloudlet("up", "--port", "0", "--data", str(tmp_path / "link"))
    assert (second.returncode, "another Cloudlet uses" in second.stderr) == (1, True), second.stderr


def test_what_a_newer_one_has_written_is_left_alone(tmp_path: Path) -> None:
    written = FORMAT + 1
    (tmp_path / "format").write_text(f"{written}\n")
    refused = cloudlet("up", "--port", "0", "--data", str(tmp_path))
    assert refused.returncode == 1
    assert f"a newer Cloudlet has written what is in {tmp_path} (format {written}" in refused.stderr
    refused = cloudlet("store", "copy", str(tmp_path), str(tmp_path / "other"))
    assert refused.returncode == 1
    assert not (tmp_path / "blocks").exists()


def test_damage_is_found_and_the_rest_is_saved(tmp_path: Path) -> None:
    data, saved = tmp_path / "data", tmp_path / "saved"
    with Server.start("--data", str(data)) as server:
        aws = Aws(server.endpoint, "123456789012")
        aws.client("sns").create_topic(Name="t")
        aws.client("sqs").create_queue(QueueName="first")
        for number in range(200):
            aws.client("sqs").create_queue(QueueName=f"q{number}", tags={"t": os.urandom(60).hex()})
    fine = cloudlet("store", "verify", str(data))
    assert (fine.returncode, fine.stdout.count("all readable")) == (0, fine.stdout.count("rows"))
    (table,) = (data / "blocks" / "sqs").glob("*.sst")
    content = bytearray(table.read_bytes())
    content[len(content) * 2 // 3] ^= 4
    table.write_bytes(content)
    damaged = cloudlet("store", "verify", str(data))
    assert damaged.returncode == 1
    assert re.search(r"sqs +[\d,]+ rows, 1 damaged places\n  between \(.*checksum mismatch", damaged.stdout)
    assert cloudlet("store", "copy", "--readable", str(data), str(saved)).returncode == 1
    with Server.start("--data", str(saved)) as server:
        aws = Aws(server.endpoint, "123456789012")
        assert len(aws.client("sns").list_topics()["Topics"]) == 1
        assert 100 < len(aws.client("sqs").list_queues()["QueueUrls"]) < 201


def test_a_data_folder_says_how_data_is_stored_in_it(detached: str, tmp_path: Path) -> None:
    assert (tmp_path / "data" / "format").read_text() == f"{FORMAT}\n"


@pytest.mark.parametrize("options", [(), ("--detach",)])
def test_a_second_one_on_a_port_says_that_one_is_there(detached: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    second = cloudlet("up", *options, "--port", detached, "--data", str(tmp_path / "other"))
    assert (second.returncode, second.stdout) == (1, "")
    assert re.fullmatch(
        rf"cloudlet: Cloudlet runs on port {detached} already, as process \d+: "
        rf"`cloudlet down --port {detached}` stops it\n",
        second.stderr,
    )


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        failed = cloudlet("up", "--port", str(other.getsockname()[1]), "--ephemeral")
    assert failed.returncode == 1
    assert "address already in use (name another one, or 0 for any that is free)" in failed.stderr


@pytest.mark.parametrize("options", [(), ("--detach",), ("--isolate",)])
def test_strict_mode_without_any_key_says_how_to_give_one(tmp_path: Path, options: tuple[str, ...]) -> None:
    refused = cloudlet("up", "--auth", "strict", "--port", "0", "--data", str(tmp_path), *options)
    assert (refused.returncode, "Ready." in refused.stdout) == (1, False)
    for way in ("--root-key ACCOUNT:KEY:SECRET", "$CLOUDLET_ROOT_KEYS", f"{tmp_path}/keys.json"):
        assert way in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["up", "--host", "0.0.0.0"], 1, "--auth strict"),
        (["up", "--root-key", "nonsense"], 2, "ACCOUNT:KEY:SECRET"),
        (["up", "--services", "sqs,nothing"], 2, "there is no block nothing"),
        (["up", "--services", ""], 2, "no block is named"),
        (["up", "--port", "70000"], 2, "not a port: '70000'"),
        (["up", "--port", "-1"], 2, "not a port: '-1'"),
        (["up", "--xray-daemon", "70000"], 2, "not a port: '70000'"),
        (["up", "--endpoint", "localhost:4566"], 2, "not the URL of a Cloudlet"),
        (["up", "--endpoint", "http://localhost/cloud"], 2, "not the URL of a Cloudlet"),
        (["up", "--data", __file__], 1, f"cannot use {__file__} as the data folder: "),
        (["up", "--detach", "--data", __file__], 1, f"cannot write the log, {__file__}/cloudlet.log: "),
        (["up", "--ephemeral", "--det"], 2, "unrecognized arguments: --det"),
        (["up", "--ephemeral", "--tls-cert", "a.pem", "--tls-key", "a.key"], 1, "cannot use a.pem and a.key as"),
        (["up", "--tls-cert", "a.pem"], 2, "go together"),
        (["up", "--ephemeral", "--data", "x"], 2, "takes no --data"),
        (["up", "--ephemeral", "--store", "postgresql://x"], 2, "takes no --store"),
        (["up", "--store", "mysql://x"], 1, "begins with postgresql://"),
        (["serve", "nothing"], 2, "there is no block nothing"),
        (["serve", "sqs", "--listen", "4566"], 2, "HOST:PORT"),
        (["serve", "sqs", "--peer", "sns=localhost"], 2, "not the URL of a Cloudlet"),
        (["serve", "sqs", "--listen", "0.0.0.0:0"], 1, "--auth strict"),
        (["snapshot", "save"], 2, "takes a name"),
        (["snapshot", "list", "--port", "1"], 3, "no Cloudlet runs on port 1"),
        (["reset", "--port", "1"], 3, "no Cloudlet runs on port 1"),
        (["snapshot", "save", ""], 2, "takes a name"),
        (["snapshot", "list", "--prot"], 2, "cloudlet snapshot: error: unrecognized arguments: --prot"),
        (["env", "--account", ""], 2, "not an access key id: ''"),
        (["env", "--region", "here"], 2, "not a region: 'here'"),
        (["coverage", "macie2"], 1, "there is no service macie2; there are acm, "),
        (["coverage", "sqs", "--markdown"], 2, "it takes none"),
        (["nothing"], 2, "invalid choice"),
        (["stop"], 2, "there is no command stop: `cloudlet down` stops Cloudlet"),
        (["start", "sqs"], 2, "there is no command start: `cloudlet up` starts Cloudlet"),
        (["restart"], 2, "there is no command restart: `cloudlet down` and"),
        (
            ["logs", "-f"],
            2,
            "there is no command logs: `cloudlet up` logs to standard error; with --detach to cloudlet.log",
        ),
        (["block"], 2, "Stop, start or restart one block of an isolated Cloudlet."),
        (["clock"], 2, "Show or move the time of a running Cloudlet."),
        (["serve"], 2, "Run one block alone"),
        (["snapshot"], 2, "Save, restore, list or delete copies of the whole cloud."),
        (["store"], 2, "Copy all data of a stopped Cloudlet"),
        (["up", "--block-timeout", "-1"], 2, "not a number of seconds: '-1'"),
        ([], 2, "COMMAND"),
        ([], 2, "print the environment that points AWS clients at Cloudlet"),
    ],
)
def test_misuse_is_said_with_a_useful_code(arguments: list[str], code: int, said: str) -> None:
    done = cloudlet(*arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_what_the_environment_says_is_checked_too() -> None:
    for environment, said in (
        ({"CLOUDLET_PORT": "nonsense"}, "not a port: 'nonsense'"),
        ({"CLOUDLET_ROOT_KEYS": "nonsense"}, "CLOUDLET_ROOT_KEYS: a root key is written ACCOUNT:KEY:SECRET"),
    ):
        done = cloudlet("up", "--ephemeral", **environment)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


@pytest.mark.parametrize("options", [(), ("--isolate",)])
def test_what_is_to_keep_nothing_has_no_store_whatever_the_environment_says(options: tuple[str, ...]) -> None:
    environment = {"CLOUDLET_STORE": "postgresql://localhost:1/nobody", "CLOUDLET_DATA": "/nowhere"}
    with Server.start("--ephemeral", *options, env=environment) as server:
        assert "QueueUrls" not in Aws(server.endpoint, "123456789012").client("sqs").list_queues()


@pytest.mark.parametrize("kept", ["nonsense", '[{"account": "1", "access_key": "a", "secret_key": "b"}]'])
def test_keys_in_the_data_folder_that_are_none_are_said_to_be(kept: str, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(kept)
    done = cloudlet("up", "--port", "0", "--data", str(tmp_path))
    assert (done.returncode, f"{tmp_path}/keys.json: " in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_was_killed_does_not_run_though_its_process_id_is_there(tmp_path: Path) -> None:
    port = str(free_port())
    command = [sys.executable, "-m", "cloudlet", "up", "--port", port, "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("Ready."):
            assert process.poll() is None
        process.kill()
        # Its output ends with it; until it is waited for, its id is nobody else's.
        process.stdout.read()
        assert cloudlet("status", "--port", port).returncode == 3
        assert cloudlet("down", "--port", port).returncode == 3


@pytest.mark.parametrize("command", [[], ["up"], ["status"], ["down"], ["env"], ["snapshot"], ["reset"], ["coverage"]])
def test_help_says_what_a_command_does(command: list[str]) -> None:
    done = cloudlet(*command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 5


def test_data_outlives_a_kill(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Server.start("--data", data) as server:
        sqs = Aws(server.endpoint, "123456789012").client("sqs")
        url = sqs.create_queue(QueueName="kept")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="still here")
        server.kill()
    with Server.start("--data", data) as server:
        sqs = Aws(server.endpoint, "123456789012").client("sqs")
        url = sqs.get_queue_url(QueueName="kept")["QueueUrl"]
        assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "still here"


def test_a_block_that_cannot_be_opened_is_named_at_the_start_and_keeps_no_other_from_starting(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, "123456789012")
        aws.client("sqs").create_queue(QueueName="q")
        aws.client("sns").create_topic(Name="t")
    (tmp_path / "blocks" / "sqs" / "CURRENT").write_text("nonsense")
    done = cloudlet("up", "--detach", "--port", "0", "--data", str(tmp_path))
    assert "unavailable   sqs (the log says why)\nReady.\n" in done.stdout
    assert f"cannot open {tmp_path}/blocks/sqs" in (tmp_path / "cloudlet.log").read_text()
    port = re.search(r":(\d+)\n", done.stdout)[1]
    try:
        aws = Aws(f"http://127.0.0.1:{port}", "123456789012")
        assert len(aws.client("sns").list_topics()["Topics"]) == 1
        with pytest.raises(ClientError) as refused:
            aws.client("sqs", config=Config(retries={"max_attempts": 0})).list_queues()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    finally:
        assert cloudlet("down", "--port", port).returncode == 0


def test_one_process_serves_the_data_of_a_block(tmp_path: Path) -> None:
    options = ("--listen", "127.0.0.1:0", "--data", str(tmp_path))
    with Server.serve("sqs", *options):
        second = cloudlet("serve", "sqs", *options)
        assert (second.returncode, "Ready." in second.stdout) == (1, False)
        assert f"another process uses {tmp_path}/blocks/sqs" in second.stderr


@pytest.mark.parametrize("options", [(), ("--isolate",)])
def test_what_a_killed_ephemeral_cloudlet_leaves_goes_when_the_next_one_starts(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    environment = {"TMPDIR": str(tmp_path)}

    def folders() -> set[Path]:
        return set(tmp_path.glob("cloudlet-tmp-*"))

    others = tmp_path / "cloudlet-tmp-others"
    others.mkdir()
    with Server.start("--ephemeral", *options, env=environment) as alive:
        lasting = folders()
        with Server.start("--ephemeral", *options, env=environment) as killed:
            Aws(killed.endpoint, "123456789012").client("sqs").create_queue(QueueName="q")
            left = folders() - lasting
            killed.kill()
        assert left
        assert left <= folders()
        with Server.start("--ephemeral", env=environment):
            while left & folders():
                time.sleep(0.01)
            assert lasting <= folders()
            url = Aws(alive.endpoint, "123456789012").client("sqs").create_queue(QueueName="q")["QueueUrl"]
            assert url
    assert folders() == {others}


def test_an_ephemeral_cloudlet_leaves_nothing(tmp_path: Path) -> None:
    with Server.start("--ephemeral", env={"TMPDIR": str(tmp_path)}) as server:
        Aws(server.endpoint, "123456789012").client("sqs").create_queue(QueueName="q")
        assert [path for path in tmp_path.iterdir() if path.name.startswith("cloudlet-")]
    assert not [path for path in tmp_path.glob("cloudlet-*") if path.name != f"cloudlet-{os.getuid()}"]


@pytest.mark.parametrize("options", [(), ("--isolate",)])
def test_the_end_of_its_terminal_is_no_crash(options: tuple[str, ...], tmp_path: Path) -> None:
    # Whatever runs these tests may have been started with nohup.
    hears = ("env", "--default-signal=HUP")
    with Server.start("--ephemeral", *options, env={"TMPDIR": str(tmp_path)}, wrapper=hears) as server:
        Aws(server.endpoint, "123456789012").client("sqs").create_queue(QueueName="q")
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(20) == 0
    assert not [path for path in tmp_path.glob("cloudlet-*") if path.name != f"cloudlet-{os.getuid()}"]


def test_with_nohup_it_outlives_its_terminal() -> None:
    with Server.start("--ephemeral", wrapper=("nohup",)) as server:
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        assert "Account" in Aws(server.endpoint, "123456789012").client("sts").get_caller_identity()


def test_snapshots_are_saved_restored_listed_and_deleted(detached: str) -> None:
    sqs = Aws(f"http://127.0.0.1:{detached}", "123456789012").client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="saved")
    none = cloudlet("snapshot", "list", "--port", detached)
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "no snapshots\n")
    assert cloudlet("snapshot", "save", "one", "--port", detached).returncode == 0
    again = cloudlet("snapshot", "save", "one", "--port", detached)
    assert (again.returncode, "there is a snapshot one already" in again.stderr) == (1, True)
    sqs.purge_queue(QueueUrl=url)
    sqs.create_queue(QueueName="later")
    assert cloudlet("snapshot", "list", "--port", detached).stdout == "one\n"
    assert cloudlet("snapshot", "restore", "one", "--port", detached).returncode == 0
    assert sqs.list_queues()["QueueUrls"] == [url]
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "saved"
    assert cloudlet("reset", "--yes", "--port", detached).returncode == 0
    assert "QueueUrls" not in sqs.list_queues()
    assert cloudlet("snapshot", "restore", "one", "--port", detached).returncode == 0
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "saved"
    assert cloudlet("snapshot", "delete", "one", "--port", detached).returncode == 0
    gone = cloudlet("snapshot", "restore", "one", "--port", detached)
    assert (gone.returncode, "there is no snapshot one" in gone.stderr) == (1, True)
    for name in ("../x", "é"):
        bad = cloudlet("snapshot", "save", name, "--port", detached)
        assert (bad.returncode, f"not a snapshot's name: {name!r}" in bad.stderr) == (1, True), bad.stderr


def test_nothing_is_removed_unless_somebody_says_yes(detached: str, tmp_path: Path) -> None:
    sqs = Aws(f"http://127.0.0.1:{detached}", "123456789012").client("sqs")
    sqs.create_queue(QueueName="q")
    unasked = cloudlet("reset", "--port", detached)
    assert (unasked.returncode, unasked.stdout) == (2, "")
    assert f"in {tmp_path / 'data'}: say --yes" in unasked.stderr

    def answering(answer: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "cloudlet", "reset", "--port", detached]
        with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            os.write(ours, answer.encode())
            said = process.stdout.read()
        os.close(ours)
        os.close(theirs)
        return process.returncode, said

    for answer in ("\n", "no\n"):
        code, said = answering(answer)
        assert (code, f"in {tmp_path / 'data'}. Snapshots are kept. Go on? [y/N]" in said) == (1, True), said
        assert sqs.list_queues()["QueueUrls"]
    code, said = answering("y\n")
    assert (code, f"all state in {tmp_path / 'data'} is removed" in said) == (0, True), said
    assert "QueueUrls" not in sqs.list_queues()


def test_a_snapshot_that_cannot_be_saved_leaves_nothing_and_the_cloud_goes_on(detached: str, tmp_path: Path) -> None:
    sqs = Aws(f"http://127.0.0.1:{detached}", "123456789012").client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    (tmp_path / "data" / "blocks" / "sqs" / "leads-nowhere").symlink_to(tmp_path / "nowhere")
    failed = cloudlet("snapshot", "save", "one", "--port", detached)
    assert (failed.returncode, "the data cannot be copied: No such file" in failed.stderr) == (1, True), failed.stderr
    assert list((tmp_path / "data" / "snapshots").iterdir()) == []
    assert sqs.list_queues()["QueueUrls"] == [url]


def test_a_block_whose_data_cannot_be_opened_is_down_and_the_others_go_on(detached: str, tmp_path: Path) -> None:
    aws = Aws(f"http://127.0.0.1:{detached}", "123456789012")
    once = boto3.session.Config(retries={"total_max_attempts": 1})
    sqs, sns, dynamodb = (aws.client(name, config=once) for name in ("sqs", "sns", "dynamodb"))
    sqs.create_queue(QueueName="q")
    sns.create_topic(Name="t")
    dynamodb.list_tables()
    for name in ("bad", "good"):
        assert cloudlet("snapshot", "save", name, "--port", detached).returncode == 0
    (tmp_path / "data" / "snapshots" / "bad" / "sns" / "CURRENT").write_text("nonsense")
    assert cloudlet("snapshot", "restore", "bad", "--port", detached).returncode == 0
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    assert dynamodb.list_tables()["TableNames"] == []
    for _ in range(20):
        with pytest.raises(sns.exceptions.ClientError) as caught:
            sns.list_topics()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    # It is not tried for each of them.
    assert (tmp_path / "data" / "cloudlet.log").read_text().count("the block sns cannot be started") < 10
    assert cloudlet("snapshot", "restore", "good", "--port", detached).returncode == 0
    assert len(sns.list_topics()["Topics"]) == 1


def test_long_polls_do_not_hold_up_a_snapshot_or_a_stop(detached: str) -> None:
    code = (
        "import boto3, sys\n"
        f"sqs = boto3.client('sqs', endpoint_url='http://localhost:{detached}', region_name='us-east-1',\n"
        "    aws_access_key_id='123456789012', aws_secret_access_key='x')\n"
        "url = sqs.create_queue(QueueName='q')['QueueUrl']\n"
        "print('polling', flush=True)\n"
        "sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as poller:
        assert poller.stdout is not None
        assert poller.stdout.readline() == "polling\n"
        assert cloudlet("snapshot", "save", "one", "--port", detached).returncode == 0
        assert cloudlet("down", "--port", detached).returncode == 0
        poller.kill()


def test_tls_with_the_local_authority(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Server.start("--data", str(data), "--tls") as server:
        assert server.endpoint.startswith("https://")
        sts = boto3.client(
            "sts",
            endpoint_url=server.endpoint,
            verify=str(data / "tls" / "ca.pem"),
            aws_access_key_id="123456789012",
            aws_secret_access_key="x",
            region_name="us-east-1",
        )
        assert sts.get_caller_identity()["Account"] == "123456789012"
    assert (data / "tls" / "server.key").stat().st_mode & 0o077 == 0


def test_a_cloudlet_with_a_certificate_that_its_user_has_brought_is_spoken_to(tmp_path: Path) -> None:
    _, certificate, key = local_certificate(tmp_path, "cloud.example.com")
    with Server.start("--ephemeral", "--tls-cert", str(certificate), "--tls-key", str(key)) as server:
        status = cloudlet("status", "--port", server.port)
        assert (status.returncode, server.endpoint in status.stdout) == (0, True), status.stderr


def test_who_has_seen_enough_of_what_is_printed_is_not_told_of_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudlet", "coverage", "--markdown"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


def test_services_can_be_chosen(tmp_path: Path) -> None:
    with Server.start("--ephemeral", "--services", "sts") as server:
        aws = Aws(server.endpoint, "123456789012")
        assert aws.client("sts").get_caller_identity()["Account"] == aws.account
        sqs = aws.client("sqs", config=boto3.session.Config(retries={"max_attempts": 0}))
        with pytest.raises(sqs.exceptions.ClientError, match="not enabled"):
            sqs.list_queues()


def test_logs_are_json_where_that_is_wanted(tmp_path: Path) -> None:
    port = str(free_port())
    log = tmp_path / "log"
    command = [sys.executable, "-m", "cloudlet", "up", "--port", port, "--ephemeral"]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--log-format", "json", "--log-level", "info"], stderr=out)
        try:
            while b"listening" not in log.read_bytes():
                assert process.poll() is None
            Aws(f"http://127.0.0.1:{port}", "123456789012").client("sts").get_caller_identity()
        finally:
            process.terminate()
            process.wait(20)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0]["endpoint"] == f"http://127.0.0.1:{port}"
    access = [line for line in lines if line["logger"] == "cloudlet.access"]
    assert access[0]["status"] == 200
    assert "sts:GetCallerIdentity" in access[0]["message"]
    assert not [line for line in lines if "secret" in json.dumps(line).lower()]


def test_the_coverage_page_is_true() -> None:
    assert (ROOT / "docs" / "coverage.md").read_text() == page()


def test_root_keys_may_be_kept_in_the_data_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    key = {"account": "111122223333", "access_key": "AKIDKEPT", "secret_key": "kept"}
    (data / "keys.json").write_text(json.dumps([key]))
    environment = {"CLOUDLET_ROOT_KEYS": "444455556666:AKIDENV:env"}
    with Server.start("--data", str(data), "--auth", "strict", env=environment) as server:
        for access_key, secret, account in (("AKIDKEPT", "kept", "111122223333"), ("AKIDENV", "env", "444455556666")):
            sts = boto3.client(
                "sts",
                endpoint_url=server.endpoint,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret,
                region_name="us-east-1",
            )
            assert sts.get_caller_identity()["Account"] == account
