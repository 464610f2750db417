"""Replication to other regions and accounts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.services.ecr import backfills, registry
from cloudlet.services.ecr.backfill_record import Backfill
from cloudlet.services.ecr.registry_record import Registry as RegistrySettings
from cloudlet.services.ecr.replicating import Destination
from cloudlet.testing.server import Aws, fresh_account
from tests.in_process import InProcess, in_block
from tests.modes import meaningless_in
from tests.refused import code_of
from tests.services.ecr.registry import Registry, digest_of, get_password, make_image, make_index, open_registry
from tests.standing import eventually

NAME = "shop/web"
_ACCOUNT = "111111111111"


class _InProcess(InProcess):
    block = "ecr"

    def call(self, operation: str, *, region: str = "us-east-1", **params: Any) -> Any:
        """Call an operation as the root of an account."""
        caller = {"principal": root(_ACCOUNT), "account": _ACCOUNT, "region": region}
        return self.run(self.cloud.call("ecr", operation, params, **caller))


def configure(ecr: Any, account: str, *regions: str, **more: Any) -> None:
    destinations = [{"region": region, "registryId": account} for region in regions]
    ecr.put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": destinations, **more}]},
    )


def get_statuses(ecr: Any, tag: str = "v1") -> dict[str, str]:
    found = ecr.describe_image_replication_status(repositoryName=NAME, imageId={"imageTag": tag})
    return {each["region"]: each["status"] for each in found["replicationStatuses"]}


def list_tags(ecr: Any) -> dict[str, list[str]]:
    try:
        found = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    except ecr.exceptions.RepositoryNotFoundException:
        return {}
    return {each["imageDigest"]: each.get("imageTags", []) for each in found}


def test_an_image_is_replicated_with_its_tag(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1", "eu-central-1")
    assert len(ecr.describe_registry()["replicationConfiguration"]["rules"]) == 1
    image = make_image(b"a layer")
    shop.push(image, "v1")
    done = {"eu-west-1": "COMPLETE", "eu-central-1": "COMPLETE"}
    eventually(lambda: get_statuses(ecr), lambda seen: seen == done)
    far = aws.client("ecr", region_name="eu-west-1")
    assert list_tags(far) == {image.digest: ["v1"]}
    name = f"{aws.account}.dkr.ecr.eu-west-1.amazonaws.com/{NAME}"
    registry = Registry(aws.endpoint, name, get_password(aws))
    assert registry.pull("v1") == image.manifest
    assert registry.ask("GET", f"blobs/{digest_of(b'a layer')}").data == b"a layer"


def test_an_index_comes_with_its_images(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1")
    one, two = make_image(b"one"), make_image(b"two", architecture="arm64")
    index = make_index(one, two)
    for each in (one, two):
        shop.push(each)
    shop.push(index, "v1")
    far = aws.client("ecr", region_name="eu-west-1")
    eventually(lambda: list_tags(far), lambda seen: set(seen) == {one.digest, two.digest, index.digest})
    eventually(lambda: list_tags(far), lambda seen: seen[index.digest] == ["v1"])


def test_filters_choose_repositories(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1", repositoryFilters=[{"filter": "other", "filterType": "PREFIX_MATCH"}])
    shop.push(make_image(b"layer"), "v1")
    assert get_statuses(ecr) == {}


@meaningless_in("strict", because="another account's registry has to let images in")
def test_to_another_account(aws: Aws, ecr: Any, shop: Registry) -> None:
    other = Aws(aws.endpoint, fresh_account())
    configure(ecr, other.account, "us-east-1")
    image = make_image(b"layer")
    shop.push(image, "v1")
    eventually(lambda: list_tags(other.client("ecr")), lambda seen: seen == {image.digest: ["v1"]})


def test_a_tag_that_stays_over_there_makes_it_fail(aws: Aws, ecr: Any, shop: Registry) -> None:
    far = aws.client("ecr", region_name="eu-west-1")
    far.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    configure(ecr, aws.account, "eu-west-1")
    shop.push(make_image(b"one"), "v1")
    eventually(lambda: get_statuses(ecr), lambda seen: seen == {"eu-west-1": "COMPLETE"})
    shop.push(make_image(b"two"), "v1")
    eventually(lambda: get_statuses(ecr), lambda seen: seen == {"eu-west-1": "FAILED"})


def test_deletions_are_replicated_where_rules_say_so(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1", deleteReplication={"enabled": True})
    image = make_image(b"layer")
    shop.push(image, "v1")
    far = aws.client("ecr", region_name="eu-west-1")
    shop.put(image.manifest, "v2")
    eventually(lambda: list_tags(far), lambda seen: seen == {image.digest: ["v1", "v2"]})
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    eventually(lambda: list_tags(far), lambda seen: seen == {image.digest: ["v2"]})
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": image.digest}])
    eventually(lambda: list_tags(far), lambda seen: seen == {})


def test_a_registry_is_not_its_own_destination(aws: Aws, ecr: Any) -> None:
    assert code_of(configure, ecr, aws.account, "us-east-1") == "InvalidParameterException"


def start(ecr: Any, account: str, region: str = "eu-west-1") -> Any:
    return ecr.start_replication_backfill(destination={"region": region, "registryId": account})


def wait_for_end(ecr: Any, id: str) -> Any:
    """Return a backfill with its results once it has ended."""
    return eventually(
        lambda: ecr.describe_replication_backfill_results(replicationBackfillId=id),
        lambda seen: seen["status"] not in ("PREPARING", "IN_PROGRESS", "STOPPING"),
    )


def test_a_backfill_replicates_what_was_there_before(aws: Aws, ecr: Any, shop: Registry) -> None:
    one, child, untagged, archived = (make_image(name) for name in (b"one", b"child", b"untagged", b"archived"))
    index = make_index(child)
    for image, *tags in ((one, "v1", "v2"), (child,), (index, "all"), (untagged,), (archived, "old")):
        shop.push(image, *tags[:1])
        for tag in tags[1:]:
            shop.put(image.manifest, tag)
    ecr.update_image_storage_class(repositoryName=NAME, imageId={"imageTag": "old"}, targetStorageClass="ARCHIVE")
    other = open_registry(aws, "elsewhere")
    other.push(make_image(b"elsewhere"), "v1")
    only = [{"filter": "shop/", "filterType": "PREFIX_MATCH"}]
    configure(ecr, aws.account, "eu-west-1", repositoryFilters=only)
    begun = start(ecr, aws.account)
    assert begun["status"] == "PREPARING"
    assert begun["destination"] == {"region": "eu-west-1", "registryId": aws.account}
    ended = wait_for_end(ecr, begun["replicationBackfillId"])
    assert ended["status"] == "COMPLETE"
    assert ended["progress"] == {
        "totalReplicationCount": 4,
        "completedReplicationCount": 4,
        "failedReplicationCount": 0,
        "failureCodes": [],
    }
    expected = {(one.digest, "v1"), (one.digest, "v2"), (index.digest, "all"), (untagged.digest, None)}
    assert {(each["imageId"]["imageDigest"], each["imageId"].get("imageTag")) for each in ended["results"]} == expected
    far = aws.client("ecr", region_name="eu-west-1")
    assert {digest: sorted(tags) for digest, tags in list_tags(far).items()} == {
        one.digest: ["v1", "v2"],
        child.digest: [],
        index.digest: ["all"],
        untagged.digest: [],
    }
    assert [each["repositoryName"] for each in far.describe_repositories()["repositories"]] == [NAME]
    (listed,) = ecr.list_replication_backfills()["backfills"]
    assert (listed["status"], listed["endedAt"]) == ("COMPLETE", ended["endedAt"])
    first = ecr.describe_replication_backfill_results(
        replicationBackfillId=begun["replicationBackfillId"], maxResults=3
    )
    rest = ecr.describe_replication_backfill_results(
        replicationBackfillId=begun["replicationBackfillId"], maxResults=3, nextToken=first["nextToken"]
    )
    assert [*first["results"], *rest["results"]] == ended["results"]
    assert code_of(ecr.stop_replication_backfill, replicationBackfillId=begun["replicationBackfillId"]) == (
        "ReplicationBackfillInvalidStatusException"
    )


def test_a_backfill_tells_what_failed(aws: Aws, ecr: Any, shop: Registry) -> None:
    far = aws.client("ecr", region_name="eu-west-1")
    far.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    host = f"{aws.account}.dkr.ecr.eu-west-1.amazonaws.com"
    Registry(aws.endpoint, f"{host}/{NAME}", get_password(aws)).push(make_image(b"theirs"), "v1")
    shop.push(make_image(b"ours"), "v1")
    shop.push(make_image(b"new"), "v2")
    configure(ecr, aws.account, "eu-west-1")
    ended = wait_for_end(ecr, start(ecr, aws.account)["replicationBackfillId"])
    progress = ended["progress"]
    assert (progress["completedReplicationCount"], progress["failedReplicationCount"]) == (1, 1)
    assert progress["failureCodes"] == ["ImageTagAlreadyExistsException"]
    id = {"replicationBackfillId": ended["replicationBackfillId"]}
    (failed,) = ecr.describe_replication_backfill_results(**id, resultStatusFilter="FAILED")["results"]
    assert (failed["imageId"]["imageTag"], failed["failureCode"]) == ("v1", "ImageTagAlreadyExistsException")


def test_a_backfill_fails_with_half_of_its_replications(aws: Aws, ecr: Any, shop: Registry) -> None:
    far = aws.client("ecr", region_name="eu-west-1")
    far.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    theirs = Registry(aws.endpoint, f"{aws.account}.dkr.ecr.eu-west-1.amazonaws.com/{NAME}", get_password(aws))
    for each in (shop, theirs):
        image = make_image(each.name.encode())
        each.push(image, "v0")
        for number in range(1, 101):
            each.put(image.manifest, f"v{number}")
    configure(ecr, aws.account, "eu-west-1")
    ended = wait_for_end(ecr, start(ecr, aws.account)["replicationBackfillId"])
    assert (ended["status"], ended["failureCode"]) == ("FAILED", "FAILURE_THRESHOLD_EXCEEDED")
    assert ended["progress"]["totalReplicationCount"] == 101
    assert ended["progress"]["failedReplicationCount"] == len(ended["results"]) == 100


def test_backfills_are_stopped_and_not_too_many(tmp_path: Path) -> None:
    destination = Destination("eu-west-1", _ACCOUNT)
    rules = ({"destinations": [{"region": "eu-west-1", "registryId": _ACCOUNT}]},)

    async def scenario(block: Block) -> None:
        async def stop_early(tx: Transaction) -> Backfill:
            registry.save(tx, RegistrySettings(_ACCOUNT, "us-east-1", replication=rules))
            return await backfills.stop(tx, await backfills.start(tx, _ACCOUNT, "us-east-1", destination, 1.0), 2.0)

        async def start_too_many(tx: Transaction) -> None:
            regions = [f"eu-west-{number}" for number in range(1, 12)]
            named = [{"region": region, "registryId": _ACCOUNT} for region in regions]
            registry.save(tx, RegistrySettings(_ACCOUNT, "us-east-2", replication=({"destinations": named},)))
            for region in regions:
                await backfills.start(tx, _ACCOUNT, "us-east-2", Destination(region, _ACCOUNT), 1.0)

        async def stop_late(tx: Transaction) -> Backfill:
            started = await backfills.start(tx, _ACCOUNT, "us-east-1", destination, 1.0)
            return await backfills.stop(tx, replace(started, status="IN_PROGRESS", is_prepared=True, total=1), 2.0)

        early = backfills.to_api(await block.store.transact(stop_early))
        assert (early["status"], early["progress"], early["endedAt"]) == ("STOPPED", None, 2.0)
        late = await block.store.transact(stop_late)
        assert late.status == "STOPPING"
        id = late.name
        while late.status != "STOPPED":
            await asyncio.sleep(0.001)
            late = await block.store.transact(lambda tx: backfills.get(tx, _ACCOUNT, "us-east-1", id))
        assert (late.total, late.completed) == (1, 0)
        with pytest.raises(AwsError, match="at most"):
            await block.store.transact(start_too_many)

    in_block("ecr", tmp_path, scenario)


def test_a_backfill_goes_on_after_a_restart(tmp_path: Path) -> None:
    cloud = _InProcess(Config(data=tmp_path, durable=False))
    cloud.call("CreateRepository", repositoryName=NAME)
    image = make_image()
    (config,) = image.blobs
    upload = {"repositoryName": NAME, "uploadId": cloud.call("InitiateLayerUpload", repositoryName=NAME)["uploadId"]}
    cloud.call("UploadLayerPart", **upload, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config)
    cloud.call("CompleteLayerUpload", **upload, layerDigests=[digest_of(config)])
    tags = [f"v{number}" for number in range(40)]
    for tag in tags:
        cloud.call("PutImage", repositoryName=NAME, imageManifest=image.manifest.decode(), imageTag=tag)
    destination = {"region": "eu-west-1", "registryId": _ACCOUNT}
    rules = {"rules": [{"destinations": [destination]}]}
    cloud.call("PutReplicationConfiguration", replicationConfiguration=rules)
    cloud.call("StartReplicationBackfill", destination=destination)
    cloud.restart()

    def get_backfill() -> Any:
        (found,) = cloud.call("ListReplicationBackfills")["backfills"]
        return found

    cloud.until(lambda: get_backfill()["status"] == "COMPLETE")
    assert get_backfill()["progress"]["completedReplicationCount"] == len(tags)
    far = cloud.call("DescribeImages", region="eu-west-1", repositoryName=NAME)["imageDetails"]
    assert [sorted(each["imageTags"]) for each in far] == [sorted(tags)]
    # It is forgotten 90 days after its end.
    cloud.advance(91 * 24 * 3600)
    cloud.until(lambda: cloud.call("ListReplicationBackfills")["backfills"] == [])
    cloud.close()


def test_backfills_are_of_destinations_of_the_registry(aws: Aws, ecr: Any) -> None:
    assert code_of(start, ecr, aws.account) == "ValidationException"
    nothing = {"replicationBackfillId": "12345678-1234-1234-1234-123456789012"}
    for call in (ecr.stop_replication_backfill, ecr.describe_replication_backfill_results):
        assert code_of(call, **nothing) == "ReplicationBackfillNotFoundException"
    assert code_of(ecr.list_replication_backfills, registryId=fresh_account()) == "InvalidParameterException"
