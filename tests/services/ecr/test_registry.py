"""The registry, by the OCI distribution protocol."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws, fresh_account
from tests.modes import meaningless_in
from tests.services.ecr.registry import (
    INDEX,
    MANIFEST,
    Registry,
    describe,
    digest_of,
    error_code,
    get_password,
    list_digests,
    make_image,
    make_index,
    open_registry,
)

NAME = "shop/web"


def test_an_image_is_pushed_and_pulled_by_tag_and_digest(shop: Registry) -> None:
    image = make_image(b"a layer" * 1000)
    digest = shop.push(image, "v1")
    assert shop.pull("v1") == shop.pull(digest) == image.manifest
    head = shop.ask("HEAD", "manifests/v1")
    assert (head.headers["Content-Type"], head.headers["Docker-Content-Digest"]) == (MANIFEST, digest)
    assert int(head.headers["Content-Length"]) == len(image.manifest)
    for blob in image.blobs:
        found = shop.ask("GET", f"blobs/{digest_of(blob)}")
        assert (found.status, found.data) == (200, blob)
        head = shop.ask("HEAD", f"blobs/{digest_of(blob)}")
        assert (head.status, int(head.headers["Content-Length"])) == (200, len(blob))


def test_an_index_has_an_image_for_each_platform(shop: Registry) -> None:
    images = [make_image(each.encode(), architecture=each) for each in ("amd64", "arm64")]
    for image in images:
        shop.push(image)
    index = make_index(*images)
    shop.push(index, "v1")
    pulled = shop.ask("GET", "manifests/v1")
    assert pulled.headers["Content-Type"] == INDEX
    named = [each["digest"] for each in json.loads(pulled.data)["manifests"]]
    assert [shop.pull(digest) for digest in named] == [image.manifest for image in images]


class TestNames:
    """A registry is named by the token, by the name of the repository, or by the host."""

    def test_by_the_token(self, aws: Aws) -> None:
        shop = open_registry(aws, NAME)
        digest = shop.push(make_image(b"layer"), "v1")
        assert list_digests(aws.client("ecr"), NAME) == [digest]

    def test_by_the_name(self, aws: Aws) -> None:
        far = aws.client("ecr", region_name="eu-west-1")
        uri = far.create_repository(repositoryName=NAME)["repository"]["repositoryUri"]
        host, _, name = uri.partition("/")
        assert f"http://{host}" == aws.endpoint
        assert name == f"{aws.account}.dkr.ecr.eu-west-1.amazonaws.com/{NAME}"
        digest = Registry(aws.endpoint, name, get_password(aws)).push(make_image(b"layer"), "v1")
        assert list_digests(far, NAME) == [digest]

    @pytest.mark.parametrize("domain", ["amazonaws.com", "localhost", "localhost.localstack.cloud"])
    def test_by_the_host(self, aws: Aws, domain: str) -> None:
        far = aws.client("ecr", region_name="eu-west-1")
        far.create_repository(repositoryName=NAME)
        shop = Registry(aws.endpoint, NAME, get_password(aws))
        host = {"Host": f"{aws.account}.dkr.ecr.eu-west-1.{domain}"}
        image = make_image()
        begun = shop.ask("POST", f"blobs/uploads/?digest={digest_of(image.blobs[0])}", image.blobs[0], host)
        assert begun.status == 201
        pushed = shop.ask("PUT", "manifests/v1", image.manifest, {**host, "Content-Type": MANIFEST})
        assert pushed.status == 201
        assert list_digests(far, NAME) == [image.digest]

    @meaningless_in("strict", because="another account needs the repository's permission")
    def test_of_another_account(self, aws: Aws) -> None:
        open_registry(aws, NAME).push(make_image(b"layer"), "v1")
        name = f"{aws.account}.dkr.ecr.us-east-1.amazonaws.com/{NAME}"
        other = Aws(aws.endpoint, fresh_account())
        # Nothing is enforced in open mode.
        assert Registry(aws.endpoint, name, get_password(other)).ask("GET", "manifests/v1").status == 200


class TestTokens:
    def test_without_a_token_there_is_a_challenge(self, shop: Registry) -> None:
        for path in ("/v2/", f"/v2/{NAME}/manifests/v1"):
            response = shop.send("GET", path, headers={"Authorization": ""})
            assert error_code(response) == (401, "UNAUTHORIZED")
            assert response.headers["WWW-Authenticate"].startswith('Basic realm="http://')
            assert response.headers["WWW-Authenticate"].endswith('service="ecr.amazonaws.com"')

    def test_with_one_the_version_is_told(self, shop: Registry) -> None:
        response = shop.send("GET", "/v2/")
        assert (response.status, response.headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")

    def test_a_forged_one_counts_for_nothing(self, aws: Aws, shop: Registry) -> None:
        password = get_password(aws)
        middle = len(password) // 2
        forged = password[:middle] + ("A" if password[middle] != "A" else "B") + password[middle + 1 :]
        for wrong in (forged, "", "test", password[:-4]):
            assert error_code(Registry(aws.endpoint, NAME, wrong).send("GET", "/v2/")) == (401, "UNAUTHORIZED")
        session = aws.client("sts").get_session_token()["Credentials"]["SessionToken"]
        assert Registry(aws.endpoint, NAME, session).send("GET", "/v2/").status == 401

    def test_it_is_valid_for_twelve_hours(self, standing: Any) -> None:
        aws = standing.account()
        data = aws.client("ecr").get_authorization_token()["authorizationData"][0]
        assert data["proxyEndpoint"] == aws.endpoint
        registry = Registry(aws.endpoint, NAME, get_password(aws))
        standing.advance("11h59m")
        assert registry.send("GET", "/v2/").status == 200
        standing.advance("2m")
        expired = registry.send("GET", "/v2/")
        assert error_code(expired) == (403, "DENIED")
        assert b"has expired" in expired.data


class TestUploads:
    def test_in_one_request(self, shop: Registry) -> None:
        blob = b"all at once"
        made = shop.ask("POST", f"blobs/uploads/?digest={digest_of(blob)}", blob)
        assert made.status == 201
        assert shop.send("GET", made.headers["Location"]).data == blob

    def test_in_chunks(self, shop: Registry) -> None:
        chunks = [b"a" * 70_000, b"b" * 70_000, b"c"]
        location = shop.ask("POST", "blobs/uploads/").headers["Location"]
        at = 0
        for chunk in chunks[:2]:
            end = at + len(chunk) - 1
            sent = shop.send("PATCH", location, chunk, {"Content-Range": f"{at}-{end}"})
            assert (sent.status, sent.headers["Range"]) == (202, f"0-{end}")
            location, at = sent.headers["Location"], end + 1
        status = shop.send("GET", location)
        assert (status.status, status.headers["Range"]) == (204, f"0-{at - 1}")
        again = shop.send("PATCH", location, chunks[0], {"Content-Range": f"0-{len(chunks[0]) - 1}"})
        assert (again.status, again.headers["Range"]) == (416, f"0-{at - 1}")
        blob = b"".join(chunks)
        ended = shop.send("PUT", f"{location}?digest={digest_of(blob)}", chunks[2])
        assert ended.status == 201
        assert shop.ask("GET", f"blobs/{digest_of(blob)}").data == blob
        half = shop.ask("GET", f"blobs/{digest_of(blob)}", headers={"Range": "bytes=69998-70001"})
        assert (half.status, half.data) == (206, b"aabb")

    def test_what_is_not_what_its_digest_says_is_refused(self, shop: Registry) -> None:
        location = shop.ask("POST", "blobs/uploads/").headers["Location"]
        ended = shop.send("PUT", f"{location}?digest={digest_of(b'another')}", b"a blob")
        assert error_code(ended) == (400, "DIGEST_INVALID")
        assert shop.ask("HEAD", f"blobs/{digest_of(b'another')}").status == 404
        assert error_code(shop.send("PUT", f"{location}?digest=none")) == (400, "DIGEST_INVALID")

    def test_one_that_is_cancelled_is_gone(self, shop: Registry) -> None:
        location = shop.ask("POST", "blobs/uploads/").headers["Location"]
        shop.send("PATCH", location, b"half")
        assert shop.send("DELETE", location).status == 204
        assert error_code(shop.send("PATCH", location, b"more")) == (404, "BLOB_UPLOAD_UNKNOWN")

    def test_by_sha512_too(self, shop: Registry) -> None:
        blob = b"longer digests"
        digest = digest_of(blob, "sha512")
        assert shop.ask("POST", f"blobs/uploads/?digest={digest}", blob).status == 201
        assert shop.ask("GET", f"blobs/{digest}").data == blob

    def test_an_empty_blob(self, shop: Registry) -> None:
        shop.upload(b"")
        assert shop.ask("GET", f"blobs/{digest_of(b'')}").data == b""

    def test_a_large_blob_is_streamed(self, shop: Registry) -> None:
        blob = b"0123456789abcdef" * (4 << 20)
        digest = shop.upload(blob)
        assert hashlib.sha256(shop.ask("GET", f"blobs/{digest}").data).hexdigest() == digest.partition(":")[2]


class TestMounts:
    def test_a_blob_is_mounted_where_the_account_has_it_so(self, aws: Aws, ecr: Any, shop: Registry) -> None:
        digest = shop.upload(b"shared")
        other = open_registry(aws, "other")
        query = f"blobs/uploads/?mount={digest}&from={NAME}"
        assert other.ask("POST", query).status == 202
        ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
        assert other.ask("POST", query).status == 201
        assert other.ask("GET", f"blobs/{digest}").data == b"shared"

    def test_what_is_not_there_is_uploaded(self, aws: Aws, ecr: Any, shop: Registry) -> None:
        ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
        for query in (f"mount={digest_of(b'none')}&from={NAME}", f"mount={digest_of(b'x')}&from=none", "mount=x"):
            assert shop.ask("POST", f"blobs/uploads/?{query}").status == 202


@pytest.mark.parametrize(
    ("range_header", "status", "wanted"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=5-100", 206, b"56789"),
        ("bytes=10-", 416, None),
        ("bytes=4-2", 416, None),
        ("items=1-2", 200, b"0123456789"),
    ],
)
def test_ranges_of_a_blob(shop: Registry, range_header: str, status: int, wanted: bytes | None) -> None:
    digest = shop.upload(b"0123456789")
    response = shop.ask("GET", f"blobs/{digest}", headers={"Range": range_header})
    assert response.status == status
    if wanted is not None:
        assert response.data == wanted
    if status == 206 and wanted is not None:
        first = b"0123456789".index(wanted)
        assert response.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/10"


def test_tags_are_listed_in_pages(shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "a")
    for tag in ("c", "b", "d"):
        shop.put(image.manifest, tag)
    assert json.loads(shop.ask("GET", "tags/list").data) == {"name": NAME, "tags": ["a", "b", "c", "d"]}
    first = shop.ask("GET", "tags/list?n=3")
    assert json.loads(first.data)["tags"] == ["a", "b", "c"]
    link = first.headers["Link"]
    assert link.endswith('>; rel="next"')
    second = shop.send("GET", link[1 : link.index(">")])
    assert json.loads(second.data)["tags"] == ["d"]
    assert "Link" not in second.headers
    assert error_code(shop.ask("GET", "tags/list?n=x")) == (400, "PAGINATION_NUMBER_INVALID")


def test_repositories_are_listed(aws: Aws, shop: Registry) -> None:
    aws.client("ecr").create_repository(repositoryName="another")
    assert json.loads(shop.send("GET", "/v2/_catalog").data) == {"repositories": ["another", NAME]}
    assert json.loads(shop.send("GET", "/v2/_catalog?last=another").data) == {"repositories": [NAME]}


def test_referrers_are_listed(shop: Registry) -> None:
    image = make_image(b"layer")
    subject = describe(image.manifest, MANIFEST)
    about = make_image(b"a signature", subject=subject, artifactType="text/signature", annotations={"by": "tests"})
    # The subject may come later, or never.
    assert json.loads(shop.ask("GET", f"referrers/{image.digest}").data)["manifests"] == []
    for blob in about.blobs:
        shop.upload(blob)
    assert shop.put(about.manifest, about.digest).headers["OCI-Subject"] == image.digest
    response = shop.ask("GET", f"referrers/{image.digest}")
    assert response.headers["Content-Type"] == INDEX
    (found,) = json.loads(response.data)["manifests"]
    assert found == {
        **describe(about.manifest, MANIFEST),
        "artifactType": "text/signature",
        "annotations": {"by": "tests"},
    }
    filtered = shop.ask("GET", f"referrers/{image.digest}?artifactType=text/other")
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    assert json.loads(filtered.data)["manifests"] == []


def test_manifests_are_deleted_and_blobs_are_not(shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "v1")
    shop.put(image.manifest, "v2")
    assert shop.ask("DELETE", "manifests/v1").status == 202
    assert shop.ask("GET", "manifests/v1").status == 404
    assert shop.ask("DELETE", f"manifests/{image.digest}").status == 202
    assert error_code(shop.ask("GET", "manifests/v2")) == (404, "MANIFEST_UNKNOWN")
    assert error_code(shop.ask("DELETE", "manifests/v2")) == (404, "MANIFEST_UNKNOWN")
    assert error_code(shop.ask("DELETE", f"blobs/{digest_of(b'layer')}")) == (405, "UNSUPPORTED")
    one = make_image(b"one")
    index = make_index(one)
    shop.push(one)
    shop.push(index, "v1")
    assert error_code(shop.ask("DELETE", f"manifests/{one.digest}")) == (403, "DENIED")


def test_errors_have_the_codes_of_the_protocol(aws: Aws, shop: Registry) -> None:
    image = make_image(b"missing")
    assert error_code(shop.put(image.manifest, "v1")) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert error_code(shop.ask("PUT", "manifests/v1", b"no manifest")) == (400, "MANIFEST_INVALID")
    assert error_code(shop.ask("PUT", "manifests/v1", b"\xff")) == (400, "MANIFEST_INVALID")
    assert error_code(shop.ask("PUT", "manifests/sha256:1", image.manifest)) == (400, "DIGEST_INVALID")
    assert error_code(shop.ask("PUT", f"manifests/{digest_of(b'')}", image.manifest)) == (400, "DIGEST_INVALID")
    assert error_code(shop.ask("PUT", "manifests/-", image.manifest)) == (400, "TAG_INVALID")
    assert error_code(shop.ask("PUT", "manifests/v1", b" " * ((4 << 20) + 1))) == (413, "SIZE_INVALID")
    assert error_code(shop.ask("GET", f"blobs/{digest_of(b'none')}")) == (404, "BLOB_UNKNOWN")
    assert error_code(shop.ask("GET", "blobs/none")) == (400, "DIGEST_INVALID")
    assert error_code(shop.ask("POST", "manifests/v1")) == (405, "UNSUPPORTED")
    none = open_registry(aws, "none", creates=False)
    assert error_code(none.ask("POST", "blobs/uploads/")) == (404, "NAME_UNKNOWN")
    assert error_code(none.ask("GET", "manifests/v1")) == (404, "NAME_UNKNOWN")
    wrong = open_registry(aws, "UPPER/Case", creates=False)
    assert error_code(wrong.ask("GET", "manifests/v1")) == (400, "NAME_INVALID")


def test_a_tag_that_stays_is_refused(aws: Aws) -> None:
    shop = open_registry(aws, NAME, imageTagMutability="IMMUTABLE")
    shop.push(make_image(b"one"), "v1")
    two = make_image(b"two")
    shop.push(two)
    assert error_code(shop.put(two.manifest, "v1")) == (400, "TAG_INVALID")


def test_a_push_that_changes_nothing_succeeds(shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "v1")
    shop.push(image, "v1")


def test_layers_are_kept_once_for_all_repositories(aws: Aws, ecr: Any, shop: Registry) -> None:
    image = make_image(b"shared by two")
    other = open_registry(aws, "other")
    for each in (shop, other):
        each.push(image, "v1")
    ecr.delete_repository(repositoryName=NAME, force=True)
    assert other.ask("GET", f"blobs/{digest_of(b'shared by two')}").data == b"shared by two"


def test_the_operations_of_api_gateway_keep_their_paths(aws: Aws) -> None:
    assert aws.client("apigatewayv2").get_apis()["Items"] == []
    assert aws.client("apigatewayv2").get_tags(ResourceArn=_make_api(aws))["Tags"] == {}


def _make_api(aws: Aws) -> str:
    made = aws.client("apigatewayv2").create_api(Name="shop", ProtocolType="HTTP")
    return f"arn:aws:apigateway:us-east-1::/apis/{made['ApiId']}"
