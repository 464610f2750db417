"""rclone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import Client
from tests.e2e.conftest import MakeClient, changed, contents


@pytest.fixture
def rclone(client: MakeClient, aws: Aws) -> Client:
    """rclone with a remote named cloudlet, whose parts have five megabytes."""
    return client(
        "rclone",
        RCLONE_CONFIG="/dev/null",
        RCLONE_CONFIG_CLOUDLET_TYPE="s3",
        RCLONE_CONFIG_CLOUDLET_PROVIDER="Other",
        RCLONE_CONFIG_CLOUDLET_ENV_AUTH="true",
        RCLONE_CONFIG_CLOUDLET_REGION=aws.region,
        RCLONE_CONFIG_CLOUDLET_ENDPOINT=aws.endpoint,
        RCLONE_S3_UPLOAD_CUTOFF="5Mi",
        RCLONE_S3_CHUNK_SIZE="5Mi",
        RCLONE_S3_COPY_CUTOFF="8Mi",
    )


def test_a_folder_is_synced_and_checked(rclone: Client, aws: Aws, bucket: str, tree: Path, tmp_path: Path) -> None:
    there = f"cloudlet:{bucket}/backup"
    rclone.run("sync", tree, there)
    rclone.run("check", tree, there)
    rclone.run("check", tree, there, "--download")
    large = aws.client("s3").head_object(Bucket=bucket, Key="backup/large.bin")
    assert large["ETag"].endswith('-3"'), "it went in parts"

    changed(tree)
    found = rclone.attempt("check", tree, there)
    assert found.returncode == 1
    assert b"3 differences found" in found.stderr

    rclone.run("sync", tree, there, "--backup-dir", f"cloudlet:{bucket}/gone")
    rclone.run("check", tree, there, "--download")
    assert sorted(rclone.run("lsf", "-R", "--files-only", f"cloudlet:{bucket}/gone").split()) == ["empty", "letter.txt"]

    rclone.run("copy", there, tmp_path / "restored", "--multi-thread-cutoff", "4Mi", "--multi-thread-streams", "3")
    assert contents(tmp_path / "restored") == contents(tree)


def test_checksums_and_times_are_kept(rclone: Client, bucket: str, tree: Path) -> None:
    there = f"cloudlet:{bucket}"
    rclone.run("copy", tree, there)
    assert sorted(rclone.run("md5sum", there).splitlines()) == sorted(rclone.run("md5sum", tree).splitlines())

    def told(where: str | Path) -> dict[str, tuple[int, str]]:
        listed = json.loads(rclone.run("lsjson", "-R", "--files-only", where))
        return {each["Path"]: (each["Size"], each["ModTime"][:19]) for each in listed}

    assert told(there) == told(tree)


def test_objects_move_within_the_server(rclone: Client, bucket: str, tree: Path) -> None:
    there = f"cloudlet:{bucket}"
    rclone.run("copy", tree, f"{there}/here")
    rclone.run("moveto", f"{there}/here/large.bin", f"{there}/there/larger.bin")
    (tree / "large.bin").rename(tree / "larger.bin")
    assert rclone.run("lsf", f"{there}/here").split() == ["Grüße/", "a/", "empty", "letter.txt"]
    rclone.run("check", tree, f"{there}/there", "--one-way", "--include", "larger.bin", "--download")
    rclone.run("purge", f"{there}/here")
    assert rclone.run("size", there).startswith("Total objects: 1\n")


def test_a_stream_is_stored_and_read_in_part(rclone: Client, client: MakeClient, bucket: str) -> None:
    rclone.run("rcat", f"cloudlet:{bucket}/stream", input=b"0123456789" * 700_000)
    assert rclone.run("cat", f"cloudlet:{bucket}/stream", "--offset", "6999995", "--count", "3") == "567"
    link = rclone.run("link", f"cloudlet:{bucket}/stream", "--expire", "1h").strip()
    assert client("curl").run("-sSf", "-r", "0-3", link) == "0123"


def test_old_versions_are_listed_and_read(rclone: Client, aws: Aws, bucket: str) -> None:
    s3 = aws.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in ("one", "two"):
        rclone.run("rcat", f"cloudlet:{bucket}/note.txt", input=body.encode())
    assert rclone.run("backend", "versioning", f"cloudlet:{bucket}").strip() == '"Enabled"'

    names = rclone.run("lsf", "--s3-versions", f"cloudlet:{bucket}").split()
    [old] = [name for name in names if name != "note.txt"]
    assert rclone.run("cat", "--s3-versions", f"cloudlet:{bucket}/{old}") == "one"
    assert rclone.run("cat", f"cloudlet:{bucket}/note.txt") == "two"
