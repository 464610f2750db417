"""Functions that are container images."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.engines.images.layouts import Layout, archive, entry
from tests.engines.images.machine import BASH
from tests.services.lambda_.cloud import RUNTIME, package
from tests.services.lambda_.contained import ImageCloud, Images
from tests.services.lambda_.programs import invoke
from tests.standing import eventually

INVALID = "InvalidParameterValueException"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A Cloudlet, and its data folder."""
    data = tmp_path_factory.mktemp("data")
    with Server.start("--data", str(data)) as server:
        yield server, data


@pytest.fixture
def cloud(running: tuple[Server, Path]) -> ImageCloud:
    """An account of its own, and the image `shop`."""
    server, data = running
    images = Images(data)
    if not (data / "images" / "shop").exists():
        images.make()
    return ImageCloud(Aws(server.endpoint, fresh_account()), images)


def test_it_runs_what_its_image_says_and_sees_nothing_but_the_image(cloud: ImageCloud) -> None:
    cloud.contained(Environment={"Variables": {"SIZE": "large", "LD_LIBRARY_PATH": "/none"}})
    answer = invoke(cloud, {"n": "1"})
    assert answer.error is None
    said = answer.value
    assert (said["arguments"], said["folder"], said["handler"]) == ("app.handler", "/srv", "none")
    # What is set for the function comes before what the image says.
    assert (said["color"], said["size"]) == ("red", "large")
    assert set(said["root"].split()) >= {"/bin", "/srv", "/tmp", "/proc", "/dev", "/etc", "/linked"}
    assert not {"/usr", "/root", "/var", "/work"} & set(said["root"].split())
    assert (said["written"], said["mine"], said["event"]) == ("no", "mine", {"n": "1"})
    assert said["user"] != 0
    assert "serving " in answer.log
    assert "INIT_START" not in answer.log
    assert invoke(cloud, "again").value["event"] == "again"


def test_what_is_shown_of_it(cloud: ImageCloud) -> None:
    digest = cloud.images.make("shown", "v1")
    made = cloud.contained(uri="oci:shown:v1")
    assert (made["State"], made["PackageType"], made["CodeSize"]) == ("Pending", "Image", 0)
    assert made["CodeSha256"] == digest.removeprefix("sha256:")
    assert not {"Runtime", "Handler", "Layers", "ImageConfigResponse"} & made.keys()
    shown = cloud.client.get_function(FunctionName="f")
    assert shown["Configuration"]["State"] == "Active"
    assert shown["Code"] == {
        "RepositoryType": "ECR",
        "ImageUri": "oci:shown:v1",
        "ResolvedImageUri": f"oci:shown@{digest}",
    }


def test_its_configuration_comes_before_that_of_the_image(cloud: ImageCloud) -> None:
    config = {"EntryPoint": ["/bin/bash", "/linked/bootstrap"], "Command": ["other", "two"], "WorkingDirectory": "/"}
    made = cloud.contained(ImageConfig=config)
    assert made["ImageConfigResponse"] == {"ImageConfig": config}
    said = invoke(cloud).value
    assert (said["arguments"], said["folder"]) == ("other two", "/")
    changed = cloud.client.update_function_configuration(FunctionName="f", ImageConfig={"Command": ["third"]})
    assert changed["ImageConfigResponse"] == {"ImageConfig": {"Command": ["third"]}}
    cloud.wait()
    said = invoke(cloud).value
    assert (said["arguments"], said["folder"]) == ("third", "/srv")


def test_what_is_published_keeps_its_image(cloud: ImageCloud) -> None:
    """Also where another one has got the tag."""
    cloud.images.make("moving", "now", revision="1")
    cloud.contained(uri="oci:moving:now", Publish=True)
    cloud.images.make("moving", "now", revision="2")
    updated = cloud.client.update_function_code(FunctionName="f", ImageUri="oci:moving:now")
    assert updated["LastUpdateStatus"] == "InProgress"
    cloud.wait()
    assert invoke(cloud).value["revision"] == "2"
    assert invoke(cloud, Qualifier="1").value["revision"] == "1"


def test_a_program_that_ends_is_an_error_and_is_started_anew(cloud: ImageCloud) -> None:
    cloud.contained()
    answer = invoke(cloud, "exit")
    assert answer.value["errorType"] == "Runtime.ExitError"
    assert answer.value["errorMessage"].endswith("exit status 7")
    assert invoke(cloud, 1).value["event"] == 1


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        ({"EntryPoint": ["/missing"]}, "Runtime.InvalidEntrypoint", "fork/exec /missing: no such file or directory"),
        ({"EntryPoint": ["/srv/bootstrap"]}, "Runtime.InvalidEntrypoint", "permission denied"),
        ({"EntryPoint": [], "Command": []}, "Runtime.InvalidEntrypoint", "neither an entry point nor a command"),
        ({"WorkingDirectory": "/missing"}, "Runtime.InvalidWorkingDir", "chdir /missing: no such file"),
        ({"EntryPoint": ["missing"]}, "Runtime.ExitError", "exit status 127"),
    ],
)
def test_what_cannot_be_started_says_why(cloud: ImageCloud, config: dict[str, Any], kind: str, message: str) -> None:
    cloud.contained(ImageConfig=config)
    answer = invoke(cloud)
    assert (answer.error, answer.value["errorType"]) == ("Unhandled", kind)
    assert message in answer.value["errorMessage"]


def test_extensions_of_the_image_run_beside_it(cloud: ImageCloud) -> None:
    data, name = cloud.images.data, "extended"
    cloud.images.make(name)
    layout = Layout(data / "images" / name)
    manifest = json.loads(layout.file(cloud.images.make(name)).read_text())
    config = json.loads(layout.file(manifest["config"]["digest"]).read_text())
    extension = """#!/bin/bash
    IFS=: read -r host port <<< "$AWS_LAMBDA_RUNTIME_API"
    exec 3<> "/dev/tcp/$host/$port"
    body='{"events": []}'
    printf 'POST /2020-01-01/extension/register HTTP/1.1\\r\\nLambda-Extension-Name: beside\\r\\n' >&3
    printf 'Content-Length: %d\\r\\n\\r\\n%s' ${#body} "$body" >&3
    while IFS= read -r line <&3; do
      line=${line%$'\\r'}
      case ${line,,} in lambda-extension-identifier:*) id=${line##*: } ;; '') break ;; esac
    done
    echo "extension registered"
    printf 'GET /2020-01-01/extension/event/next HTTP/1.1\\r\\nLambda-Extension-Identifier: %s\\r\\n\\r\\n' "$id" >&3
    while read -r line <&3; do :; done
    """
    added = archive(
        entry("opt/extensions/beside", extension.encode(), mode=0o755),
        # What an interpreter's line in a script names.
        entry("bin/sh", Path("/bin/sh").resolve().read_bytes(), mode=0o755),
    )
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(added).hexdigest()}")
    manifest["layers"].append(layout.blob(added))
    manifest["config"] = layout.document(config, manifest["config"]["mediaType"])
    layout.add(layout.document(manifest, "application/vnd.oci.image.manifest.v1+json"), "with")
    cloud.contained(uri=f"oci:{name}:with")
    assert invoke(cloud, 1).value["event"] == 1
    eventually(lambda: any(event["message"] == "extension registered" for event in cloud.logged()))


@pytest.mark.parametrize(
    ("uri", "code", "message"),
    [
        ("oci:missing", INVALID, "Source image oci:missing does not exist. Provide a valid source image."),
        ("oci:shop:missing", INVALID, "no image with the tag missing for linux/amd64"),
        ("oci:../etc", INVALID, "Source image oci:../etc is not valid. Provide a valid source image."),
        ("oci:/etc", INVALID, "is not valid"),
        ("oci:shop/../shop", INVALID, "is not valid"),
        ("oci:shop:..", INVALID, "is not valid"),
        ("oci:" + "a" * 300, INVALID, "is not valid"),
        ("docker://shop", INVALID, "is not valid"),
        ("oci:blobs", INVALID, "does not exist"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:latest", INVALID, "does not exist"),
        ("public.ecr.aws/lambda/python:3.13", "NotImplemented", "images of Amazon ECR Public"),
    ],
)
def test_what_is_no_image_is_refused(cloud: ImageCloud, uri: str, code: str, message: str) -> None:
    refused = cloud.refused(
        "create_function",
        FunctionName="f",
        PackageType="Image",
        Code={"ImageUri": uri},
        Role=cloud.role,
    )
    assert refused[0] == code
    assert message in refused[1]


def test_an_image_for_another_architecture_is_refused(cloud: ImageCloud) -> None:
    refused = cloud.refused(
        "create_function",
        FunctionName="f",
        PackageType="Image",
        Architectures=["arm64"],
        Code={"ImageUri": "oci:shop"},
        Role=cloud.role,
    )
    assert refused[:1] == (INVALID,)
    assert "for linux/amd64, not for linux/arm64" in refused[1]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"Runtime": RUNTIME}, "The parameter Runtime is not supported for functions with packageType Image."),
        ({"Handler": "x"}, "The parameter Handler is not supported for functions with packageType Image."),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]}, "The parameter Layers is not supported"),
        ({"Code": {"ZipFile": package()}}, "Please provide ImageUri when creating a function with packageType Image."),
        ({"Code": {"ImageUri": "oci:shop", "S3Key": "k"}}, "Please do not provide S3Key when creating"),
        ({"PackageType": "Zip"}, "Please do not provide ImageUri when creating a function with packageType Zip."),
        ({"ImageConfig": {"WorkingDirectory": "/\0"}}, "ImageConfig contains a null character."),
        (
            {"CodeSigningConfigArn": "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"},
            "Code signing is not supported",
        ),
    ],
)
def test_what_belongs_to_zip_files_is_refused(cloud: ImageCloud, params: dict[str, Any], message: str) -> None:
    given = {
        "FunctionName": "f",
        "PackageType": "Image",
        "Code": {"ImageUri": "oci:shop"},
        "Role": cloud.role,
        **params,
    }
    code, said, _ = cloud.refused("create_function", **given)
    assert code == INVALID
    assert message in said


def test_a_function_stays_of_its_kind(cloud: ImageCloud) -> None:
    cloud.contained()
    cloud.function("z")
    assert (
        "Please provide ImageUri when updating"
        in cloud.refused("update_function_code", FunctionName="f", ZipFile=package())[1]
    )
    assert (
        "do not provide ImageUri when updating"
        in cloud.refused("update_function_code", FunctionName="z", ImageUri="oci:shop")[1]
    )
    assert (
        "ImageConfig is not supported"
        in cloud.refused("update_function_configuration", FunctionName="z", ImageConfig={"Command": ["x"]})[1]
    )
    assert (
        "Handler is not supported" in cloud.refused("update_function_configuration", FunctionName="f", Handler="x")[1]
    )


def test_a_damaged_image_makes_the_function_fail_with_the_reason(cloud: ImageCloud) -> None:
    """What is not looked at before it is unpacked: a layer."""
    layout = Layout(cloud.images.data / "images" / "damaged")
    layer = archive(entry("x", b"x" * 100))
    layout.image(layer, stored=[layer])
    blob = layout.file(f"sha256:{hashlib.sha256(layer).hexdigest()}")
    blob.write_bytes(layer.replace(b"xxx", b"xyx"))
    cloud.client.create_function(
        FunctionName="f", PackageType="Image", Code={"ImageUri": "oci:damaged"}, Role=cloud.role
    )
    shown = eventually(
        lambda: cloud.client.get_function_configuration(FunctionName="f"), lambda found: found["State"] == "Failed"
    )
    assert shown["StateReasonCode"] == "InvalidImage"
    assert re.fullmatch("The image cannot be unpacked: the blob sha256:[0-9a-f]{64} is damaged", shown["StateReason"])


def test_an_image_is_unpacked_again_after_a_crash(tmp_path: Path) -> None:
    """And what a crash has left half unpacked goes."""
    images = Images(tmp_path)
    images.make()
    with Server.start("--data", str(tmp_path)) as server:
        ImageCloud(Aws(server.endpoint, "123456789012"), images).contained()
        server.kill()
    (unpacked,) = tmp_path.glob("unpacked/lambda/*/image-*")
    half = unpacked.with_name(".fresh-half")
    unpacked.rename(half)
    os.utime(half, (1, 1))
    with Server.start("--data", str(tmp_path)) as server:
        cloud = ImageCloud(Aws(server.endpoint, "123456789012"), images)
        assert invoke(cloud, 1).value["event"] == 1
        assert unpacked.exists()
        eventually(lambda: not half.exists())


RESTORING = """#!/bin/bash
# Waits to be restored, then fails to be, or runs what is there usually.
IFS=: read -r host port <<< "$AWS_LAMBDA_RUNTIME_API"
exec 4<> "/dev/tcp/$host/$port"
printf 'GET /2018-06-01/runtime/restore/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&4
read -r status <&4
if [ "$1" = fail ]; then
  echo "to be restored: $status"
  printf 'POST /2018-06-01/runtime/restore/error HTTP/1.1\\r\\nContent-Length: 0\\r\\n\\r\\n' >&4
  # Until it is ended: there is no more to do.
  while read -r status <&4; do :; done
fi
status=${status%$'\\r'}
COLOR=$AWS_LAMBDA_INITIALIZATION_TYPE exec "$BASH" /srv/bootstrap "$status"
"""


def published(cloud: ImageCloud) -> dict[str, Any]:
    """Publish a version of `f`; return what is shown of it once it is settled."""
    cloud.client.publish_version(FunctionName="f")
    found: dict[str, Any] = eventually(
        lambda: cloud.client.get_function_configuration(FunctionName="f", Qualifier="1"),
        lambda seen: bool(seen["State"] != "Pending"),
    )
    return found


def restoring(cloud: ImageCloud, *arguments: str, **config: Any) -> None:
    """Create `f` of an image that speaks of snapshots."""
    files = [entry("srv/restoring", RESTORING.encode())]
    cloud.images.make("restoring", files=files, Entrypoint=[BASH, "/srv/restoring"], Cmd=list(arguments), **config)
    cloud.contained(uri="oci:restoring", SnapStart={"ApplyOn": "PublishedVersions"})


def test_an_image_that_waits_to_be_restored_starts_from_a_snapshot(cloud: ImageCloud) -> None:
    restoring(cloud)
    assert published(cloud)["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    answer = invoke(cloud, Qualifier="1")
    assert (answer.value["arguments"].strip(), answer.value["color"]) == ("HTTP/1.1 200 OK", "snap-start")
    assert "Restore Duration" in answer.log
    # It is told that there is nothing to wait for where it starts as usual.
    answer = invoke(cloud)
    assert (answer.value["arguments"].strip(), answer.value["color"]) == ("HTTP/1.1 403 Forbidden", "on-demand")


def test_an_image_may_fail_to_be_restored(cloud: ImageCloud) -> None:
    restoring(cloud, "fail")
    assert published(cloud)["State"] == "Active"
    code, _, status = cloud.refused("invoke", FunctionName="f", Qualifier="1")
    assert (code, status) == ("SnapStartException", 400)


@pytest.mark.parametrize(("labels", "state"), [({}, "Failed"), ({"snapstart": "Allow"}, "Active")])
def test_an_image_that_does_not_speak_of_snapshots_says_that_it_may_be_one(
    cloud: ImageCloud, labels: dict[str, str], state: str
) -> None:
    cloud.images.make("labelled", Labels={f"com.amazonaws.lambda.feature.{name}": labels[name] for name in labels})
    cloud.contained(uri="oci:labelled", SnapStart={"ApplyOn": "PublishedVersions"})
    shown = published(cloud)
    assert shown["State"] == state
    if state == "Failed":
        assert "/runtime/restore/next" in shown["StateReason"]
    else:
        assert invoke(cloud, "x", Qualifier="1").value["event"] == "x"
