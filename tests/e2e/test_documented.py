"""docs/clients.md, run as it stands: its files are written, its commands run, and what they print is compared."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws
from tests.commands import free_port
from tests.e2e.client import BOTO3, E2E, INSTALLED, PATH, RUNNING, Client, installed
from tests.e2e.conftest import MakeClient
from tests.e2e.packages import python_runtime

_PAGE = (E2E.parents[1] / "docs" / "clients.md").read_text()
_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_SECTIONS = {
    section.partition("\n")[0]: _BLOCK.findall(section) for section in re.split(r"^## ", _PAGE, flags=re.M)[1:]
}

_BESIDE_BOTO3 = ("watchtower and awslogs", "X-Ray's SDK", "OpenTelemetry")


@pytest.fixture
def bash(section: str, client: MakeClient, aws: Aws, tmp_path: Path) -> Iterator[Client]:
    """A shell in which `cloudlet` and `python` are those that the section means."""
    installed(str(INSTALLED / "python"))
    if section == "boto3":
        # The clients' environment has none: this is the one that the tests run in.
        yield client("bash", PATH=os.pathsep.join((str(Path(sys.executable).parent), PATH)))
    elif section == "Over TLS":
        shell = client("bash", CLOUDLET_PORT=str(free_port()), CLOUDLET_DATA=str(tmp_path / "data"))
        yield shell
        shell.attempt("-c", "cloudlet down")
    elif section in _BESIDE_BOTO3:
        running = find(int(aws.endpoint.rpartition(":")[2]))
        assert running is not None
        assert running.xray_daemon is not None
        yield client(
            "bash",
            PATH=os.pathsep.join((str(BOTO3), PATH)),
            AWS_XRAY_DAEMON_ADDRESS=running.xray_daemon,
            # What nobody signs is in the account of keys that are no number.
            **({} if section == "watchtower and awslogs" else {"AWS_ACCESS_KEY_ID": "test"}),
        )
    else:
        yield client("bash", CLOUDLET_PORT=aws.endpoint.rpartition(":")[2], **RUNNING)


@pytest.mark.parametrize("section", [name for name, blocks in _SECTIONS.items() if blocks])
def test_section(section: str, bash: Client, aws: Aws, tmp_path: Path) -> None:
    here, home = tmp_path / "here", Path(bash.environment["HOME"])
    here.mkdir()
    (tmp_path / "node_modules").symlink_to(E2E / "javascript" / "node_modules")
    # Names of buckets are unique in the whole of Cloudlet, which other tests use too.
    renamed = {
        "127.0.0.1:4566": aws.endpoint.removeprefix("http://"),
        "photos": f"photos-{aws.account}",
        "python3.13": python_runtime(),
    }
    printed = ""
    for language, title, text in _SECTIONS[section]:
        for shown, meant in renamed.items():
            text = text.replace(shown, meant)
        if title:
            file = Path(title.replace("~", str(home), 1)) if title.startswith("~") else here / title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        elif language == "sh":
            printed += bash.run("-euo", "pipefail", "-c", f"cd '{here}'\n{text}")
        else:
            assert (language, printed) == ("text", text)
            printed = ""
    assert printed == "", "the page does not show what this prints"
