"""Scans of images by a scanner on the PATH; a script stands in for it (`scanner.py`)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.services.ecr.scanner_reports import parse_grype, parse_trivy
from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecr import scanner
from tests.services.ecr.registry import Registry, make_image, make_index, open_registry
from tests.services.ecr.test_events import Listener
from tests.standing import Standing, eventually, standing_server

NAME = "shop/web"
ON_PUSH: dict[str, Any] = {"imageScanningConfiguration": {"scanOnPush": True}}
ZLIB = {
    "package_version": "1:1.2.13.dfsg-1",
    "package_name": "zlib1g",
    "CVSS2_VECTOR": "AV:N/AC:L/Au:N/C:P/I:P/A:P",
    "CVSS2_SCORE": "7.5",
    "CVSS3_VECTOR": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "CVSS3_SCORE": "9.8",
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scanner."""
    folder = tmp_path_factory.mktemp("programs")
    scanner.install(folder)
    return folder


@pytest.fixture(scope="module")
def scanning(programs: Path) -> Iterator[Standing]:
    """A server that finds the scanner."""
    with standing_server({"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}) as server:
        yield server


@pytest.fixture
def control(programs: Path) -> Iterator[Path]:
    """The file that says how the scanner behaves."""
    file = programs / scanner.CONTROL
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture
def aws(scanning: Standing) -> Aws:
    return scanning.account()


def ask(ecr: Any, tag: str = "v1", **more: Any) -> Any:
    return ecr.describe_image_scan_findings(repositoryName=NAME, imageId={"imageTag": tag}, **more)


def wait(ecr: Any, tag: str = "v1") -> Any:
    """Return the findings of an image once its scan has ended."""
    return eventually(lambda: ask(ecr, tag), lambda seen: seen["imageScanStatus"]["status"] != "IN_PROGRESS")


def start(ecr: Any, tag: str = "v1") -> Any:
    return ecr.start_image_scan(repositoryName=NAME, imageId={"imageTag": tag})


def test_a_scan_on_push(aws: Aws, ecr: Any) -> None:
    shop = open_registry(aws, NAME, **ON_PUSH)
    listener = Listener(aws)
    image = make_image(b"layer", b"another")
    shop.push(image, "v1")
    found = wait(ecr)
    ecr.get_waiter("image_scan_complete").wait(repositoryName=NAME, imageId={"imageTag": "v1"})
    assert found["imageScanStatus"] == {"status": "COMPLETE", "description": "The scan was completed successfully."}
    assert found["imageId"] == {"imageDigest": image.digest, "imageTag": "v1"}
    scan = found["imageScanFindings"]
    assert scan["vulnerabilitySourceUpdatedAt"] < scan["imageScanCompletedAt"]
    assert scan["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 1}
    zlib, apt = scan["findings"]
    assert {each["key"]: each["value"] for each in zlib.pop("attributes")} == ZLIB
    assert zlib == {
        "name": "CVE-2023-45853",
        "uri": "https://avd.aquasec.com/nvd/cve-2023-45853",
        "description": "MiniZip in zlib through 1.3 has an integer overflow.",
        "severity": "CRITICAL",
    }
    assert apt["description"].startswith("It was found that apt-key")
    first = ask(ecr, maxResults=1)
    second = ask(ecr, maxResults=1, nextToken=first["nextToken"])
    names = [each["name"] for page in (first, second) for each in page["imageScanFindings"]["findings"]]
    assert (names, "nextToken" in second) == (["CVE-2023-45853", "CVE-2011-3374"], False)
    assert code_of(ask, ecr, nextToken="?") == "InvalidParameterException"
    (shown,) = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    assert shown["imageScanStatus"] == found["imageScanStatus"]
    assert shown["imageScanFindingsSummary"] == {key: value for key, value in scan.items() if key != "findings"}
    (event,) = [each for each in listener.receive(2) if each["detail-type"] == "ECR Image Scan"]
    assert event["detail"] == {
        "scan-status": "COMPLETE",
        "repository-name": NAME,
        "finding-severity-counts": {"CRITICAL": 1, "LOW": 1},
        "image-digest": image.digest,
        "image-tags": ["v1"],
    }


def test_the_registry_has_its_repositories_scanned(ecr: Any, shop: Registry) -> None:
    filters = [{"filter": "shop/*", "filterType": "WILDCARD"}]
    rules = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}]
    ecr.put_registry_scanning_configuration(scanType="BASIC", rules=rules)
    image = make_image(b"layer")
    shop.push(image)
    shop.put(image.manifest, "v1")
    assert wait(ecr)["imageScanStatus"]["status"] == "COMPLETE"


def test_an_image_is_scanned_once_a_day(scanning: Standing, aws: Aws, ecr: Any, shop: Registry, control: Path) -> None:
    shop.push(make_image(b"layer"), "v1")
    assert code_of(ask, ecr) == "ScanNotFoundException"
    control.write_text("wait")
    assert start(ecr)["imageScanStatus"] == {"status": "IN_PROGRESS"}
    eventually(lambda: control.read_text() == "waiting")
    assert "imageScanFindings" not in ask(ecr)
    code, message = refused(start, ecr)
    assert (code, message) == (
        "LimitExceededException",
        "The scan quota per image has been exceeded. Wait and try again.",
    )
    control.write_text("")
    assert wait(ecr)["imageScanFindings"]["findings"]
    assert code_of(start, ecr) == "LimitExceededException"
    scanning.advance("1d")
    control.write_text("fail")
    start(ecr)
    failed = wait(ecr)
    assert failed["imageScanStatus"]["status"] == "FAILED"
    assert failed["imageScanStatus"]["description"].endswith(
        "status 1: 2030-01-01 FATAL failed to download vulnerability DB"
    )
    assert "imageScanFindings" not in failed
    # Nothing is left of the old findings, either; the next scan finds nothing.
    scanning.advance("1d")
    control.write_text(json.dumps({**scanner.TRIVY, "Results": []}))
    start(ecr)
    assert wait(ecr)["imageScanFindings"]["findings"] == []


@pytest.mark.parametrize(
    ("answer", "status", "description"),
    [
        ('{"Metadata": {}}', "UNSUPPORTED_IMAGE", "UnsupportedImageError"),
        ('{"Results": 1}', "FAILED", "no report that can be read"),
    ],
)
def test_reports_of_nothing(
    ecr: Any, shop: Registry, control: Path, answer: str, status: str, description: str
) -> None:
    shop.push(make_image(b"layer"), "v1")
    control.write_text(answer)
    start(ecr)
    shown = wait(ecr)["imageScanStatus"]
    assert (shown["status"], description in shown["description"]) == (status, True)


def test_an_encrypted_image_is_scanned_in_the_clear(aws: Aws, ecr: Any) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    shop = open_registry(aws, NAME, encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key}, **ON_PUSH)
    shop.push(make_image(b"layer"), "v1")
    assert wait(ecr)["imageScanStatus"]["status"] == "COMPLETE"


def test_what_is_no_image_is_not_scanned(aws: Aws, ecr: Any) -> None:
    shop = open_registry(aws, NAME, **ON_PUSH)
    image = make_image(b"layer")
    shop.push(image)
    shop.push(make_index(image), "index")
    shop.push(make_image(b"chart", artifactType="application/vnd.cncf.helm.config.v1+json"), "chart")
    assert code_of(start, ecr, "index") == "UnsupportedImageTypeException"
    assert code_of(ask, ecr, "index") == "ScanNotFoundException"
    assert code_of(start, ecr, "chart") == "UnsupportedImageTypeException"
    assert ask(ecr, "chart")["imageScanStatus"]["status"] == "UNSUPPORTED_IMAGE"


def test_many_findings_come_in_pages_and_go_with_their_image(ecr: Any, shop: Registry, control: Path) -> None:
    names = [f"CVE-2029-{number}" for number in range(1000, 1450)]
    control.write_text(json.dumps({"Results": [{"Vulnerabilities": [{"VulnerabilityID": name} for name in names]}]}))
    image = make_image(b"layer")
    shop.push(image, "v1")
    start(ecr)
    wait(ecr)
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(
        repositoryName=NAME, imageId={"imageDigest": image.digest}
    )
    assert [each["name"] for page in pages for each in page["imageScanFindings"]["findings"]] == names
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    shop.push(image, "v1")
    assert code_of(ask, ecr) == "ScanNotFoundException"


class TestReports:
    def test_of_trivy(self) -> None:
        report = parse_trivy(json.dumps(scanner.TRIVY).encode(), json.dumps(scanner.TRIVY_VERSION).encode())
        assert [each.severity for each in report.findings] == ["CRITICAL", "LOW"]
        assert (report.is_supported, report.updated) == (True, 1893435343.123456)
        unknown = {"VulnerabilityID": "CVE-1", "Severity": "UNKNOWN"}
        (finding,) = parse_trivy(json.dumps({"Results": [{"Vulnerabilities": [unknown]}]}).encode(), b"").findings
        assert (finding.severity, finding.attributes) == ("UNDEFINED", {})

    def test_of_grype(self) -> None:
        report = parse_grype(json.dumps(scanner.GRYPE).encode())
        (finding,) = report.findings
        assert (finding.name, finding.severity) == ("CVE-2023-45853", "INFORMATIONAL")
        assert finding.uri == "https://security-tracker.debian.org/tracker/CVE-2023-45853"
        assert finding.description == "MiniZip in zlib through 1.3 has an integer overflow."
        assert finding.attributes == {
            "package_version": "1:1.2.13.dfsg-1",
            "package_name": "zlib1g",
            "CVSS3_VECTOR": "CVSS:3.1/AV:N",
            "CVSS3_SCORE": "9",
        }
        older = {**scanner.GRYPE, "descriptor": {"db": {"built": "2029-12-31T04:11:20Z"}}}
        assert parse_grype(json.dumps(older).encode()).updated == report.updated == 1893384680.0
        assert not parse_grype(b'{"matches": [], "distro": {"name": ""}}').is_supported
