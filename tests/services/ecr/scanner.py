"""A stand-in for Trivy and Grype: it looks whether it is given an image, and answers as they do."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

TRIVY: dict[str, Any] = {
    "SchemaVersion": 2,
    "ArtifactName": "image",
    "ArtifactType": "container_image",
    "Metadata": {"OS": {"Family": "debian", "Name": "12.5"}, "ImageConfig": {"architecture": "amd64"}},
    "Results": [
        {
            "Target": "image (debian 12.5)",
            "Class": "os-pkgs",
            "Type": "debian",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2011-3374",
                    "PkgName": "apt",
                    "InstalledVersion": "2.6.1",
                    "SeveritySource": "debian",
                    "Title": "It was found that apt-key in apt do not correctly validate gpg keys",
                    "Severity": "LOW",
                },
                {
                    "VulnerabilityID": "CVE-2023-45853",
                    "PkgID": "zlib1g@1:1.2.13.dfsg-1",
                    "PkgName": "zlib1g",
                    "InstalledVersion": "1:1.2.13.dfsg-1",
                    "Status": "will_not_fix",
                    "SeveritySource": "nvd",
                    "PrimaryURL": "https://avd.aquasec.com/nvd/cve-2023-45853",
                    "Title": "zlib: integer overflow",
                    "Description": "MiniZip in zlib through 1.3 has an integer overflow.",
                    "Severity": "CRITICAL",
                    "CVSS": {
                        "ghsa": {"V3Vector": "CVSS:3.1/AV:L", "V3Score": 5.5},
                        "nvd": {
                            "V2Vector": "AV:N/AC:L/Au:N/C:P/I:P/A:P",
                            "V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                            "V2Score": 7.5,
                            "V3Score": 9.8,
                        },
                    },
                },
            ],
        },
        {"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg"},
    ],
}
TRIVY_VERSION: dict[str, Any] = {
    "Version": "0.58.0",
    "VulnerabilityDB": {"Version": 2, "UpdatedAt": "2029-12-31T18:15:43.123456789Z"},
}
GRYPE: dict[str, Any] = {
    "matches": [
        {
            "vulnerability": {
                "id": "CVE-2023-45853",
                "dataSource": "https://security-tracker.debian.org/tracker/CVE-2023-45853",
                "namespace": "debian:distro:debian:12",
                "severity": "Negligible",
                "urls": [],
                "cvss": [],
            },
            "relatedVulnerabilities": [
                {
                    "id": "CVE-2023-45853",
                    "dataSource": "https://nvd.nist.gov/vuln/detail/CVE-2023-45853",
                    "description": "MiniZip in zlib through 1.3 has an integer overflow.",
                    "cvss": [{"version": "3.1", "vector": "CVSS:3.1/AV:N", "metrics": {"baseScore": 9}}],
                }
            ],
            "artifact": {"name": "zlib1g", "version": "1:1.2.13.dfsg-1", "type": "deb"},
        }
    ],
    "distro": {"name": "debian", "version": "12", "idLike": []},
    "descriptor": {"name": "grype", "db": {"status": {"schemaVersion": "v6.0.2", "built": "2029-12-31T04:11:20Z"}}},
}
CONTROL = "control"
"""The file beside the program that says how it behaves."""


def install(folder: Path, kind: str = "trivy") -> Path:
    """Put the program into a folder; return the file that says how it behaves: what it answers, or `wait`."""
    folder.mkdir(exist_ok=True)
    program = folder / kind
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {__file__} {folder} {kind} "$@"\n')
    program.chmod(0o755)
    return folder / CONTROL


def _check_image() -> None:
    """Fail unless there is a layout of one image, with all that it names."""
    layout = Path("image")
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (named,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(_read(layout, named))
    for blob in (manifest["config"], *manifest["layers"]):
        _read(layout, blob)


def _read(layout: Path, blob: dict[str, Any]) -> bytes:
    algorithm, _, name = blob["digest"].partition(":")
    data = (layout / "blobs" / algorithm / name).read_bytes()
    assert (len(data), hashlib.new(algorithm, data).hexdigest()) == (blob["size"], name)
    return data


def main(folder: str, kind: str, *arguments: str) -> None:
    assert "CLOUDLET_MASTER_KEY" not in os.environ
    if arguments == ("version", "--format", "json"):
        sys.stdout.write(json.dumps(TRIVY_VERSION))
        return
    wanted = {
        "trivy": ("image", "--input", "image", "--format", "json", "--quiet"),
        "grype": ("oci-dir:image", "-o", "json"),
    }
    assert arguments == wanted[kind], arguments
    _check_image()
    control = Path(folder, CONTROL)
    asked = control.read_text() if control.exists() else ""
    if asked == "fail":
        sys.exit("2030-01-01 INFO Trying\n2030-01-01 FATAL failed to download vulnerability DB")
    if asked in ("wait", "waiting"):
        control.write_text("waiting")
        while control.read_text() == "waiting":
            time.sleep(0.02)
        asked = control.read_text()
    sys.stdout.write(asked or json.dumps(TRIVY if kind == "trivy" else GRYPE))


if __name__ == "__main__":
    main(*sys.argv[1:])
