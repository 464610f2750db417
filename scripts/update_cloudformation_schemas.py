#!/usr/bin/env python3
"""Write AWS's schemas of resource types, as cfn-lint has them, into the package.

    scripts/update_cloudformation_schemas.py cfn_lint-1.58.0-py3-none-any.whl

The wheel comes from `pip download --no-deps cfn-lint`. Its schemas are those that AWS publishes for each type,
with cfn-lint's corrections; both are under the licence MIT-0. Of each namespace that a block declares types of, all
types are taken, without what is said to people and without patterns that Python has no syntax for.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

from cloudlet.core.aws.resources.registry import load_resource_types

TARGET = Path(__file__).resolve().parents[1] / "src/cloudlet/core/aws/resources/schemas.zip"
_FOLDER = "cfnlint/data/schemas"
_TO_COME = {
    f"AWS::{name}"
    for name in [
        "AppMesh",
        "ApplicationAutoScaling",
        "CodeBuild",
        "CodeCommit",
        "CodeDeploy",
        "CodePipeline",
        "EC2",
        "ECS",
        "ElastiCache",
        "ElasticLoadBalancingV2",
        "EMR",
        "RDS",
        "Route53",
        "ServiceDiscovery",
        "StepFunctions",
    ]
}
"""Namespaces of blocks that are being built."""
_FOR_PEOPLE = {
    "description",
    "title",
    "sourceUrl",
    "documentationUrl",
    "examples",
    "$comment",
    "handlers",
    "resourceLink",
}
_NAMES = {"properties", "definitions", "patternProperties"}
"""Words of the schema language whose values have names of properties as their keys."""


def _is_python(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _strip(schema: Any, is_names: bool = False) -> Any:
    if isinstance(schema, list):
        return [_strip(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key if _is_python(key) or not is_names else ".*": _strip(value, not is_names and key in _NAMES)
        for key, value in schema.items()
        if is_names or (key not in _FOR_PEOPLE and not (key == "pattern" and not _is_python(value)))
    }


def main(wheel: str) -> None:
    namespaces = {name.rpartition("::")[0] for name in load_resource_types()} | _TO_COME
    with (
        zipfile.ZipFile(wheel) as source,
        zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target,
    ):
        found = json.loads(source.read(f"{_FOLDER}/providers/us-east-1.json"))
        names = sorted(name for name in found if name.rpartition("::")[0] in namespaces)
        for name in names:
            schema = _strip(json.loads(source.read(f"{_FOLDER}/resources/{found[name]}.json")))
            # The same time each time: the same schemas are the same file.
            target.writestr(
                zipfile.ZipInfo(name),
                json.dumps(schema, separators=(",", ":"), sort_keys=True),
                zipfile.ZIP_DEFLATED,
                9,
            )
    print(f"{len(names)} resource types, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
