"""Images of tasks from elsewhere than ECR: other registries, and layouts in the data folder."""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudlet.testing.server import Aws
from tests.services.ecr.registry import MANIFEST
from tests.services.ecs.containers import LOGS, Tasks, make_image

_BASIC = "Basic " + b64encode(b"me:secret").decode()


class Registry(ThreadingHTTPServer):
    """A registry with one image, `library/tool:1`, for those who have a token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.image = make_image()
        self.fetched: list[str] = []
        self.files = {"manifests/1": self.image.manifest}
        for blob in self.image.blobs:
            self.files[f"blobs/sha256:{hashlib.sha256(blob).hexdigest()}"] = blob

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        known = self.headers.get("authorization")
        if self.path.startswith("/token"):
            self._send(200 if known == _BASIC else 401, json.dumps({"token": "t"}).encode())
        elif known != "Bearer t":
            challenge = (
                f'Bearer realm="http://{self.server.host}/token",service="s",scope="repository:library/tool:pull"'
            )
            self._send(401, b"", {"www-authenticate": challenge})
        else:
            content = self.server.files.get(self.path.removeprefix("/v2/library/tool/"))
            self.server.fetched.append(self.path)
            self._send(200 if content else 404, content or b"", {"content-type": MANIFEST})

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_an_image_of_another_registry_by_credentials(aws: Aws, registry: Registry) -> None:
    tasks = Tasks(aws)
    text = json.dumps({"username": "me", "password": "secret"})
    secret = aws.client("secretsmanager").create_secret(Name="registry", SecretString=text)["ARN"]
    container = {
        "image": f"{registry.host}/library/tool:1",
        "command": ["cat", "/srv/index.html"],
        "repositoryCredentials": {"credentialsParameter": secret},
        "logConfiguration": LOGS,
    }
    role = f"arn:aws:iam::{aws.account}:role/execution"
    arn = tasks.run(container, executionRoleArn=role)
    ended = tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["hello from a task"], ended
    assert ended["containers"][0]["imageDigest"] == f"sha256:{hashlib.sha256(registry.image.manifest).hexdigest()}"
    blobs = [path for path in registry.fetched if "/blobs/" in path]
    tasks.wait(tasks.run(container, executionRoleArn=role), "STOPPED")
    assert [path for path in registry.fetched if "/blobs/" in path] == blobs


def test_a_registry_that_refuses_or_is_not_there(aws: Aws, registry: Registry) -> None:
    tasks = Tasks(aws)
    ended = tasks.finish({"image": f"{registry.host}/library/tool:1"})
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotPullContainerError: ")
    ended = tasks.finish({"image": "127.0.0.1:9/library/tool:1"})
    assert ended["stoppedReason"].startswith("CannotPullContainerError: ")
