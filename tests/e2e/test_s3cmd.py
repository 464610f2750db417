"""s3cmd."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import Client
from tests.e2e.conftest import MakeClient, changed, contents


@pytest.fixture
def s3cmd(client: MakeClient, aws: Aws) -> Client:
    """s3cmd, with five megabytes a part."""
    made = client("s3cmd")
    host = aws.endpoint.removeprefix("http://")
    configuration = f"""\
        [default]
        host_base = {host}
        host_bucket = {host}
        use_https = False
        multipart_chunk_size_mb = 5
        progress_meter = False
    """
    Path(made.environment["HOME"], ".s3cfg").write_text(dedent(configuration))
    return made


def test_a_bucket_from_its_making_to_its_end(s3cmd: Client, aws: Aws, tmp_path: Path) -> None:
    bucket = f"s3://s3cmd-{aws.account}"
    s3cmd.run("mb", bucket)
    (tmp_path / "note").write_text("a note")
    s3cmd.run("put", tmp_path / "note", f"{bucket}/notes/übung 1.txt", "--add-header=x-amz-meta-author:ann")
    s3cmd.run("put", tmp_path / "note", f"{bucket}/top.txt", "--mime-type=text/x-note")

    listed = [line.split(maxsplit=3)[-1] for line in s3cmd.run("ls", bucket).splitlines()]
    assert [each.removeprefix("DIR").strip() for each in listed] == [f"{bucket}/notes/", f"{bucket}/top.txt"]
    assert len(s3cmd.run("ls", "--recursive", bucket).splitlines()) == 2

    told = s3cmd.run("info", f"{bucket}/notes/übung 1.txt")
    assert "x-amz-meta-author: ann" in told
    assert "File size: 6" in told
    assert "MIME type: text/x-note" in s3cmd.run("info", f"{bucket}/top.txt")

    s3cmd.run("cp", f"{bucket}/top.txt", f"{bucket}/copy.txt")
    s3cmd.run("mv", f"{bucket}/top.txt", f"{bucket}/moved.txt")
    s3cmd.run("get", f"{bucket}/moved.txt", tmp_path / "got")
    assert (tmp_path / "got").read_text() == "a note"

    full = s3cmd.attempt("rb", bucket)
    assert full.returncode != 0
    assert b"BucketNotEmpty" in full.stderr
    s3cmd.run("del", "--recursive", "--force", bucket)
    s3cmd.run("rb", bucket)
    assert aws.client("s3").list_buckets()["Buckets"] == []


def test_a_folder_is_synced_up_and_down(s3cmd: Client, aws: Aws, bucket: str, tree: Path, tmp_path: Path) -> None:
    there = f"s3://{bucket}/backup/"
    s3cmd.run("sync", f"{tree}/", there)
    large = aws.client("s3").head_object(Bucket=bucket, Key="backup/large.bin")
    assert large["ETag"].endswith('-3"'), "it went in parts"

    changed(tree)
    said = s3cmd.run("sync", "--delete-removed", f"{tree}/", there).splitlines()
    assert sorted(line.split(":")[0] for line in said if line.startswith(("delete:", "upload:"))) == [
        "delete",
        "upload",
        "upload",
    ]

    (tmp_path / "restored").mkdir()
    s3cmd.run("sync", there, f"{tmp_path / 'restored'}/")
    assert contents(tmp_path / "restored") == contents(tree)


def test_a_signed_url_opens_an_object(s3cmd: Client, client: MakeClient, aws: Aws, bucket: str) -> None:
    aws.client("s3").put_object(Bucket=bucket, Key="a/b c.txt", Body=b"hello")
    url = s3cmd.run("signurl", f"s3://{bucket}/a/b c.txt", "+600").strip()
    assert client("curl").run("-sSf", url) == "hello"


def test_rules_of_a_bucket(s3cmd: Client, aws: Aws, bucket: str, tmp_path: Path) -> None:
    s3 = aws.client("s3")
    s3cmd.run("setversioning", f"s3://{bucket}", "enable")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"

    s3cmd.run("expire", f"s3://{bucket}", "--expiry-days=30", "--expiry-prefix=logs/")
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Expiration"] == {"Days": 30}

    s3.put_object(Bucket=bucket, Key="k")
    s3cmd.run("settagging", f"s3://{bucket}/k", "colour=blue&size=1")
    assert len(s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]) == 2
