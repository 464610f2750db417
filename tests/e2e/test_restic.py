"""restic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import Client
from tests.e2e.conftest import MakeClient, changed, contents


@pytest.fixture
def restic(client: MakeClient, aws: Aws, bucket: str) -> Client:
    """restic with a repository in a bucket."""
    return client(
        "restic",
        RESTIC_REPOSITORY=f"s3:{aws.endpoint}/{bucket}/restic",
        RESTIC_PASSWORD="secret of a test",
    )


def test_a_backup_is_restored(restic: Client, tree: Path, tmp_path: Path) -> None:
    restic.run("init")
    restic.run("backup", tree)
    first = contents(tree)
    changed(tree)
    restic.run("backup", tree)
    restic.run("check", "--read-data")

    snapshots = json.loads(restic.run("snapshots", "--json"))
    for snapshot, expected in zip(snapshots, (first, contents(tree)), strict=True):
        target = tmp_path / snapshot["short_id"]
        restic.run("restore", f"{snapshot['id']}:{tree}", "--target", target, "--verify")
        assert contents(target) == expected


def test_what_is_forgotten_is_pruned(restic: Client, aws: Aws, bucket: str, tree: Path, tmp_path: Path) -> None:
    s3 = aws.client("s3")

    def stored() -> int:
        return sum(each["Size"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="restic/data/")["Contents"])

    restic.run("init")
    restic.run("backup", tree)
    everything = stored()
    (tree / "large.bin").unlink()
    restic.run("backup", tree)
    restic.run("forget", "--keep-last", "1", "--prune")
    assert stored() < everything / 10
    restic.run("check", "--read-data")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="restic/locks/")["KeyCount"] == 0
