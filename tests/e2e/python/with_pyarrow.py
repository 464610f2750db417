"""pyarrow's own S3 file system: run by tests/e2e/test_python.py with the clients' Python."""

from __future__ import annotations

import os

import pyarrow
import pyarrow.dataset
import pytest
from pyarrow.fs import FileSelector, FileType, S3FileSystem

BUCKET = os.environ["BUCKET"]
MIB = 2**20


@pytest.fixture
def files() -> S3FileSystem:
    # Arrow reads the keys and the region from the environment, but not the endpoint.
    return S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"), scheme="http")


def test_a_dataset(files: S3FileSystem) -> None:
    table = pyarrow.table({"year": [2024 + n % 3 for n in range(3000)], "n": range(3000)})
    pyarrow.dataset.write_dataset(
        table, f"{BUCKET}/data", filesystem=files, format="parquet", partitioning=["year"], partitioning_flavor="hive"
    )
    found = pyarrow.dataset.dataset(f"{BUCKET}/data", filesystem=files, format="parquet", partitioning="hive")
    assert len(found.files) == 3
    read = found.to_table(filter=pyarrow.dataset.field("year") == 2025, columns=["n"])
    assert read["n"].to_pylist() == list(range(1, 3000, 3))


def test_a_stream_in_parts(files: S3FileSystem) -> None:
    body = bytes(range(256)) * (23 * MIB // 256)
    with files.open_output_stream(f"{BUCKET}/big", metadata={"Content-Type": "text/x-big"}, buffer_size=0) as out:
        for start in range(0, len(body), 3 * MIB):
            out.write(body[start : start + 3 * MIB])
    with files.open_input_file(f"{BUCKET}/big") as big:
        assert big.size() == len(body)
        assert big.metadata()["Content-Type"] == b"text/x-big"
        assert big.read_at(10, 15 * MIB) == body[15 * MIB : 15 * MIB + 10]
        big.seek(len(body) - 5)
        assert big.read() == body[-5:]
    with files.open_input_stream(f"{BUCKET}/big") as big:
        assert big.read() == body


def test_as_a_file_system(files: S3FileSystem) -> None:
    files.create_dir(f"{BUCKET}/fs/deep/er")
    for name in ("fs/a", "fs/deep/b"):
        with files.open_output_stream(f"{BUCKET}/{name}") as out:
            out.write(name.encode())
    found = files.get_file_info(FileSelector(f"{BUCKET}/fs", recursive=True))
    assert sorted((each.path.removeprefix(BUCKET), each.type) for each in found) == [
        ("/fs/a", FileType.File),
        ("/fs/deep", FileType.Directory),
        ("/fs/deep/b", FileType.File),
        ("/fs/deep/er", FileType.Directory),
    ]
    files.copy_file(f"{BUCKET}/fs/a", f"{BUCKET}/fs/copy")
    files.move(f"{BUCKET}/fs/a", f"{BUCKET}/fs/moved")
    assert files.get_file_info(f"{BUCKET}/fs/a").type == FileType.NotFound
    with files.open_input_stream(f"{BUCKET}/fs/moved") as moved:
        assert moved.read() == b"fs/a"
    with pytest.raises(FileNotFoundError):
        files.open_input_stream(f"{BUCKET}/fs/a")

    files.delete_dir(f"{BUCKET}/fs")
    assert files.get_file_info(f"{BUCKET}/fs").type == FileType.NotFound
