"""Models: loaded in a moment, cached on disk, and never wrong because of the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloudlet.wire import cache, load
from cloudlet.wire.catalog import SERVICES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_what_a_model_says() -> None:
    sqs = load("sqs")
    assert (sqs.name, sqs.service_id, sqs.signing_name, sqs.target_prefix) == ("sqs", "SQS", "sqs", "AmazonSQS")
    assert sqs.api_version == "2012-11-05"
    assert sqs.protocols == ("json", "query")
    assert load("cloudwatch").protocols == ("smithy-rpc-v2-cbor", "json", "query")
    assert "QueueDoesNotExist" in sqs.error_shapes
    assert load("sqs") is sqs
    s3 = load("s3").operations
    assert s3["PutObject"].streaming_input
    assert s3["GetObject"].streaming_output
    assert s3["SelectObjectContent"].event_stream_output == "Payload"
    assert (s3["PutObject"].http_method, s3["PutObject"].uri) == ("PUT", "/{Bucket}/{Key+}")


def test_an_unknown_service() -> None:
    for name in ("nonsense", "../sqs", ""):
        with pytest.raises(LookupError):
            load(name)


def test_the_cache_is_used(folder: Path) -> None:
    first = cache.load_compiled("sqs")
    (file,) = folder.rglob("sqs")
    assert b"documentation" not in file.read_bytes()
    assert cache.load_compiled("sqs") == first
    assert [path.name for path in file.parent.iterdir()] == ["sqs"]


@pytest.mark.parametrize("damage", [b"", b"abc", b"\x00" * 100])
def test_a_damaged_cache_is_written_anew(folder: Path, damage: bytes) -> None:
    first = cache.load_compiled("sqs")
    (file,) = folder.rglob("sqs")
    sound = file.read_bytes()
    file.write_bytes(damage or sound[:-1])
    assert cache.load_compiled("sqs") == first
    assert file.read_bytes() == sound


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(obstacle))
    assert cache.load_compiled("sqs").metadata["serviceId"] == "SQS"


def test_loading_is_quick(folder: Path) -> None:
    for service, limit in (("sqs", 0.003), ("ec2", 0.040)):
        cache.load_compiled(service)
        took = []
        for _ in range(5):
            start = time.perf_counter()
            cache.load_compiled(service)
            took.append(time.perf_counter() - start)
        assert min(took) < limit


def test_neither_botocore_nor_cbor_nor_xml_are_imported_to_start() -> None:
    code = (
        "import sys; import cloudlet.wire as w; w.load('sqs'); "
        "print([m for m in ('botocore', 'cbor2', 'xml', 'pyexpat', 'cloudlet.wire.query') if m in sys.modules])"
    )
    # Without what measures the coverage of child processes, which imports on its own account.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_every_operation_compiles_in_every_protocol() -> None:
    for service in SERVICES:
        model = load(service)
        for operation in model.operations.values():
            for protocol in model.protocols:
                operation._compile(protocol)
