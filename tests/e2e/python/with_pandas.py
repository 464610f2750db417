"""pandas, by way of s3fs: run by tests/e2e/test_python.py with the clients' Python."""

from __future__ import annotations

import os
import random
from urllib.parse import unquote

import pandas
import pytest
import s3fs

BUCKET = os.environ["BUCKET"]
MIB = 2**20


@pytest.fixture
def frame() -> pandas.DataFrame:
    days = pandas.date_range("2026-01-01", periods=500, freq="D", unit="us")
    noise = random.Random(1)
    return pandas.DataFrame(
        {
            "day": days,
            "city": [noise.choice(["Ulm", "Köln", "東京"]) for _ in days],
            "sold": [noise.randrange(1000) for _ in days],
            "price": [noise.random() for _ in days],
        }
    )


@pytest.fixture
def files() -> s3fs.S3FileSystem:
    """The bucket as a file system, whose listings are not remembered."""
    return s3fs.S3FileSystem(use_listings_cache=False)


def test_csv(frame: pandas.DataFrame) -> None:
    frame.to_csv(f"s3://{BUCKET}/sales.csv", index=False)
    pandas.testing.assert_frame_equal(
        pandas.read_csv(f"s3://{BUCKET}/sales.csv", parse_dates=["day"]), frame, check_dtype=False
    )

    frame.to_csv(f"s3://{BUCKET}/sales.csv.gz", index=False)
    assert pandas.read_csv(f"s3://{BUCKET}/sales.csv.gz")["sold"].sum() == frame["sold"].sum()


def test_parquet(frame: pandas.DataFrame) -> None:
    frame.to_parquet(f"s3://{BUCKET}/sales.parquet")
    again = pandas.read_parquet(f"s3://{BUCKET}/sales.parquet", columns=["city", "sold"])
    pandas.testing.assert_frame_equal(again, frame[["city", "sold"]])


def test_a_dataset_of_partitions(frame: pandas.DataFrame, files: s3fs.S3FileSystem) -> None:
    frame.to_parquet(f"s3://{BUCKET}/by-city", partition_cols=["city"])
    folders = {unquote(path.split("/")[-2]) for path in files.glob(f"{BUCKET}/by-city/*/*.parquet")}
    assert folders == {"city=Köln", "city=Ulm", "city=東京"}
    ulm = pandas.read_parquet(f"s3://{BUCKET}/by-city", filters=[("city", "==", "Ulm"), ("sold", ">", 500)])
    assert len(ulm) == len(frame[(frame["city"] == "Ulm") & (frame["sold"] > 500)]) > 0


def test_a_big_file_in_parts(files: s3fs.S3FileSystem) -> None:
    body = random.Random(2).randbytes(13 * MIB)
    with files.open(f"{BUCKET}/big", "wb", block_size=5 * MIB) as file:
        for start in range(0, len(body), MIB):
            file.write(body[start : start + MIB])
    assert files.info(f"{BUCKET}/big")["size"] == len(body)
    assert files.info(f"{BUCKET}/big")["ETag"].endswith('-3"')

    with files.open(f"{BUCKET}/big", "ab", block_size=5 * MIB) as file:
        file.write(b"appended")
    with files.open(f"{BUCKET}/big", "rb", block_size=MIB) as file:
        for offset in (0, 5 * MIB - 3, 13 * MIB - 2):
            file.seek(offset)
            assert file.read(10) == (body + b"appended")[offset : offset + 10]
    assert files.cat_ranges([f"{BUCKET}/big"] * 3, [0, 7, MIB], [3, 9, MIB + 4]) == [
        body[0:3],
        body[7:9],
        body[MIB : MIB + 4],
    ]


def test_as_a_file_system(files: s3fs.S3FileSystem, tmp_path) -> None:
    files.pipe({f"{BUCKET}/fs/{name}": name.encode() for name in ("a.txt", "b.txt", "deep/er/c.txt", "sp ace/ü.txt")})
    assert files.ls(f"{BUCKET}/fs") == [f"{BUCKET}/fs/{name}" for name in ("a.txt", "b.txt", "deep", "sp ace")]
    assert files.glob(f"{BUCKET}/fs/**/*.txt") == files.find(f"{BUCKET}/fs")
    assert files.du(f"{BUCKET}/fs") == sum(map(len, ("a.txt", "b.txt", "deep/er/c.txt", "sp ace/ü.txt"))) + 1
    assert files.isdir(f"{BUCKET}/fs/deep")
    assert not files.exists(f"{BUCKET}/fs/none")
    with pytest.raises(FileNotFoundError):
        files.cat(f"{BUCKET}/fs/none")

    files.copy(f"{BUCKET}/fs/a.txt", f"{BUCKET}/fs/copy.txt")
    files.mv(f"{BUCKET}/fs/b.txt", f"{BUCKET}/fs/moved.txt")
    files.get(f"{BUCKET}/fs", str(tmp_path / "got"), recursive=True)
    assert (tmp_path / "got/copy.txt").read_bytes() == b"a.txt"
    assert (tmp_path / "got/sp ace/ü.txt").read_bytes() == "sp ace/ü.txt".encode()
    assert not (tmp_path / "got/b.txt").exists()

    files.setxattr(f"{BUCKET}/fs/a.txt", author="ann")
    assert files.getxattr(f"{BUCKET}/fs/a.txt", "author") == "ann"
    files.put_tags(f"{BUCKET}/fs/a.txt", {"colour": "blue"})
    assert files.get_tags(f"{BUCKET}/fs/a.txt") == {"colour": "blue"}

    files.rm(f"{BUCKET}/fs", recursive=True)
    assert files.find(f"{BUCKET}/fs") == []


def test_versions_of_a_file() -> None:
    files = s3fs.S3FileSystem(version_aware=True, use_listings_cache=False)
    files.call_s3("put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        files.pipe(f"{BUCKET}/note", body)
    new, old = files.object_version_info(f"{BUCKET}/note")
    assert (new["IsLatest"], old["IsLatest"]) == (True, False)
    with files.open(f"{BUCKET}/note", version_id=old["VersionId"]) as file:
        assert file.read() == b"one"
    assert files.cat(f"{BUCKET}/note") == b"two"
