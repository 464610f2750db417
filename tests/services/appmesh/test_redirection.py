"""Applications that know nothing of their Envoys: connections are redirected, as root and as an ordinary user."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.engines.network.test_networks import USERS


@pytest.mark.parametrize("user", USERS)
def test_connections_are_redirected(user: str) -> None:
    command = [sys.executable, "-m", "tests.services.appmesh.redirection", user]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    allowed, dropped = json.loads(ended.stdout)
    # Whatever the address, the host says which virtual service it is; its application sees its own Envoy.
    assert allowed == ["port 8080 from 127.0.0.1", "port 8080 from 10.0.1.5", "port 9999 from 10.0.1.5"]
    assert dropped[0] == "port 8080 from 127.0.0.1"
    assert dropped[1] == "HTTP/1.1 404 Not Found"
    assert dropped[2] != allowed[2]
