"""What S3 measures of itself is found in CloudWatch: of requests a minute after, of what buckets hold each midnight."""

from __future__ import annotations

import datetime
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.reports import request_metrics
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.modes import meaningless_in
from tests.own_metrics import total
from tests.services.s3.own_work import bucket, replication_role
from tests.standing import NOON, Standing, eventually, standing_server

one_process = meaningless_in("replicas", because="another process knows of a configuration a moment later")


def configure(s3: Any, name: str, id: str = "all", **chosen: Any) -> None:
    configuration = {"Id": id, **({"Filter": chosen} if chosen else {})}
    s3.put_bucket_metrics_configuration(Bucket=name, Id=id, MetricsConfiguration=configuration)


def of_requests(aws: Aws, metric: str, name: str, id: str = "all") -> float | None:
    return total(aws, "AWS/S3", metric, BucketName=name, FilterId=id)


@one_process
def test_requests_to_a_bucket_are_counted_by_kind(standing: Standing) -> None:
    aws = standing.account()
    s3 = aws.client("s3")
    name, other = bucket(s3), bucket(s3)
    configure(s3, name)
    s3.put_object(Bucket=name, Key="a", Body=b"12345")
    s3.get_object(Bucket=name, Key="a")["Body"].read()
    s3.head_object(Bucket=name, Key="a")
    s3.copy_object(Bucket=other, Key="c", CopySource={"Bucket": name, "Key": "a"})
    s3.list_objects_v2(Bucket=name)
    s3.get_bucket_location(Bucket=name)
    upload = s3.create_multipart_upload(Bucket=name, Key="m")["UploadId"]
    s3.upload_part(Bucket=name, Key="m", UploadId=upload, PartNumber=1, Body=b"123")
    s3.abort_multipart_upload(Bucket=name, Key="m", UploadId=upload)
    s3.delete_object(Bucket=name, Key="a")
    with suppress(ClientError):
        s3.get_object(Bucket=name, Key="a")
    standing.advance("1m")
    # With the request that put the configuration.
    assert eventually(lambda: of_requests(aws, "AllRequests", name)) == 11
    for metric, count in {
        "GetRequests": 3,
        "PutRequests": 2,
        "HeadRequests": 1,
        "PostRequests": 1,
        "DeleteRequests": 2,
        "ListRequests": 1,
        "4xxErrors": 1,
        "5xxErrors": 0,
        "BytesDownloaded": 5,
    }.items():
        assert of_requests(aws, metric, name) == count, metric
    assert of_requests(aws, "SelectRequests", name) is None
    # What bodies were sent, that of the configuration included.
    assert (of_requests(aws, "BytesUploaded", name) or 0) >= 8
    total_latency, first_byte = (of_requests(aws, f"{each}Latency", name) for each in ("TotalRequest", "FirstByte"))
    assert total_latency is not None
    assert first_byte is not None
    assert 0 < first_byte <= total_latency


@one_process
def test_filters_choose_by_prefix_and_tags(standing: Standing) -> None:
    aws = standing.account()
    s3 = aws.client("s3")
    name = bucket(s3)
    blue = {"Key": "colour", "Value": "blue"}
    configure(s3, name, "logs", Prefix="logs/")
    configure(s3, name, "blue", Tag=blue)
    configure(s3, name, "both", And={"Prefix": "logs/", "Tags": [blue]})
    s3.put_object(Bucket=name, Key="logs/a", Tagging="colour=blue")
    s3.put_object(Bucket=name, Key="logs/b", Tagging="colour=red")
    s3.put_object(Bucket=name, Key="c", Tagging="colour=blue")
    for key in ("logs/a", "logs/a", "logs/b", "c"):
        s3.get_object(Bucket=name, Key=key)
    s3.copy_object(Bucket=name, Key="logs/d", CopySource=f"{name}/c")
    # These are about no single object.
    s3.list_objects_v2(Bucket=name, Prefix="logs/")
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "logs/a"}]})
    s3.delete_object(Bucket=name, Key="c")
    standing.advance("1m")
    assert eventually(lambda: of_requests(aws, "AllRequests", name, "logs")) == 6
    assert of_requests(aws, "PutRequests", name, "logs") == 3
    assert of_requests(aws, "GetRequests", name, "logs") == 3
    assert of_requests(aws, "GetRequests", name, "blue") == 4
    assert of_requests(aws, "PutRequests", name, "blue") == 3
    assert of_requests(aws, "DeleteRequests", name, "blue") == 1
    assert of_requests(aws, "GetRequests", name, "both") == 2
    assert of_requests(aws, "PutRequests", name, "both") == 2


@one_process
def test_queries_tell_what_they_scanned(standing: Standing) -> None:
    aws = standing.account()
    s3 = aws.client("s3")
    name = bucket(s3)
    configure(s3, name, "csv", Prefix="t")
    s3.put_object(Bucket=name, Key="t.csv", Body=b"1,2\n3,4\n")
    events = s3.select_object_content(
        Bucket=name,
        Key="t.csv",
        ExpressionType="SQL",
        Expression="SELECT s._1 FROM S3Object s",
        InputSerialization={"CSV": {}},
        OutputSerialization={"CSV": {}},
    )["Payload"]
    assert b"".join(each["Records"]["Payload"] for each in events if "Records" in each) == b"1\n3\n"
    standing.advance("1m")
    assert eventually(lambda: of_requests(aws, "SelectBytesScanned", name, "csv")) == 8
    assert of_requests(aws, "SelectBytesReturned", name, "csv") == 4
    assert of_requests(aws, "SelectRequests", name, "csv") == 1


@one_process
def test_a_configuration_is_in_force_until_it_is_deleted(standing: Standing) -> None:
    aws = standing.account()
    s3 = aws.client("s3")
    name = bucket(s3)
    configure(s3, name, "a", Prefix="a")
    configure(s3, name, "b", Prefix="a")
    s3.put_object(Bucket=name, Key="a")
    s3.delete_bucket_metrics_configuration(Bucket=name, Id="a")
    s3.put_object(Bucket=name, Key="a")
    standing.advance("1m")
    assert eventually(lambda: of_requests(aws, "PutRequests", name, "b")) == 2
    assert of_requests(aws, "PutRequests", name, "a") is None


def test_replication_tells_how_late_it_is_and_what_fails(standing: Standing) -> None:
    aws = standing.account()
    s3 = aws.client("s3")
    source, target, gone = (bucket(s3, versioned=True) for _ in range(3))
    rules = [
        {
            "ID": f"to-{name}",
            "Priority": number,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{name}", "Metrics": {"Status": "Enabled"}},
        }
        for number, name in enumerate((target, gone))
    ]
    role = replication_role(s3)
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": rules})
    s3.delete_bucket(Bucket=gone)
    version = s3.put_object(Bucket=source, Key="k", Body=b"x")["VersionId"]
    eventually(
        lambda: s3.head_object(Bucket=source, Key="k", VersionId=version)["ReplicationStatus"],
        lambda status: status == "FAILED",
    )
    standing.advance("1m")

    def of_rule(metric: str, name: str) -> float | None:
        dimensions = {"SourceBucket": source, "DestinationBucket": name, "RuleId": f"to-{name}"}
        return total(aws, "AWS/S3", metric, **dimensions)

    assert eventually(lambda: of_rule("OperationsFailedReplication", gone)) == 1
    assert of_rule("OperationsFailedReplication", target) == 0
    assert of_rule("ReplicationLatency", target) == 0


def test_configurations_are_in_force_after_a_restart(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        name = bucket(s3)
        configure(s3, name)
    with Server.start("--data", str(tmp_path)) as server:
        assert cloudlet("clock", "freeze", NOON, "--port", server.port).returncode == 0
        standing, aws = Standing(server), Aws(server.endpoint, account)
        s3 = aws.client("s3")

        def counted() -> float | None:
            # What was there before is read while requests are served already.
            s3.put_object(Bucket=name, Key="k")
            standing.advance("1m")
            return of_requests(aws, "PutRequests", name)

        assert eventually(counted)


@pytest.mark.parametrize(
    ("id", "chosen", "code"),
    [
        ("a", {"AccessPointArn": "arn:aws:s3:us-east-1:111111111111:accesspoint/p"}, "NotImplemented"),
        ("a", {"And": {"Prefix": "a"}}, "MalformedXML"),
        ("ü", {"Prefix": "a"}, "InvalidArgument"),
        ("a" * 65, {"Prefix": "a"}, "InvalidArgument"),
    ],
)
def test_what_cannot_be_is_refused(aws: Aws, id: str, chosen: dict[str, Any], code: str) -> None:
    s3 = aws.client("s3")
    name = bucket(s3)
    with pytest.raises(ClientError) as refused:
        configure(s3, name, id, **chosen)
    assert refused.value.response["Error"]["Code"] == code


def test_an_account_has_half_of_the_configurations_that_are_measured_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_metrics, "_MOST", 6)
    known = request_metrics._All()

    def fill(account: str) -> Bucket:
        bucket = Bucket(1, f"of-{account}", account, "us-east-1", 0)
        for number in range(5):
            known.keep(bucket, f"{number}", {})
        return bucket

    large, other = fill("111111111111"), fill("222222222222")
    assert [len(known.buckets[each.name].configurations) for each in (large, other)] == [3, 3]
    known.forget(large.name)
    known.keep(other, "more", {})
    assert list(known.buckets[other.name].configurations) == ["0", "1", "2"]


def test_after_midnight_buckets_tell_what_they_hold() -> None:
    with standing_server() as standing:
        aws = standing.account()
        s3 = aws.client("s3")
        name = bucket(s3, versioned=True)
        s3.put_object(Bucket=name, Key="a", Body=b"x" * 1000)
        s3.put_object(Bucket=name, Key="a", Body=b"x" * 100)
        s3.put_object(Bucket=name, Key="b", Body=b"x" * 10, StorageClass="STANDARD_IA")
        s3.put_object(Bucket=name, Key="c", Body=b"x", StorageClass="GLACIER")
        s3.delete_object(Bucket=name, Key="c")
        upload = s3.create_multipart_upload(Bucket=name, Key="m")["UploadId"]
        s3.upload_part(Bucket=name, Key="m", UploadId=upload, PartNumber=1, Body=b"12345")
        standing.advance("12h")

        def held(metric: str, storage: str) -> float | None:
            standing.advance("1m")
            midnight = datetime.datetime.fromisoformat(NOON) + datetime.timedelta(hours=12)
            points = aws.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/S3",
                MetricName=metric,
                Dimensions=[{"Name": "BucketName", "Value": name}, {"Name": "StorageType", "Value": storage}],
                StartTime=midnight,
                EndTime=midnight + datetime.timedelta(days=1),
                Period=86400,
                Statistics=["Average"],
            )["Datapoints"]
            assert all(point["Timestamp"] == midnight for point in points)
            return float(points[0]["Average"]) if points else None

        objects = eventually(lambda: held("NumberOfObjects", "AllStorageTypes"), lambda found: found is not None)
        assert objects == 6
        assert held("BucketSizeBytes", "StandardStorage") == 1105
        assert held("BucketSizeBytes", "StandardIAStorage") == 10
        assert held("BucketSizeBytes", "StandardIASizeOverhead") == 128 * 1024 - 10
        assert held("BucketSizeBytes", "GlacierStorage") == 1
        assert held("BucketSizeBytes", "GlacierObjectOverhead") == 32 * 1024
        assert held("BucketSizeBytes", "DeepArchiveStorage") is None
