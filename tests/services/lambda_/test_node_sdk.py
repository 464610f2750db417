"""Node.js functions find AWS's SDK, where it is installed, and reach the URLs that custom resources answer to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import invoke, program


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Cloudlet on whose NODE_PATH a package of AWS's SDK is."""
    modules = tmp_path_factory.mktemp("node_modules")
    modules.chmod(0o755)
    package = modules / "@aws-sdk" / "client-toy"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"main": "index.js"}')
    (package / "index.js").write_text("exports.name = 'toy';")
    with Server.start("--ephemeral", env={"NODE_PATH": str(modules)}) as running:
        yield running


@pytest.fixture
def cloud(server: Server) -> FunctionCloud:
    return FunctionCloud(Aws(server.endpoint, fresh_account()))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("index.js", "const toy = require('@aws-sdk/client-toy'); exports.handler = async () => toy.name;"),
        ("index.mjs", "import { name } from '@aws-sdk/client-toy'; export const handler = async () => name;"),
    ],
)
def test_the_sdk_is_found_where_it_is_installed(
    cloud: FunctionCloud, node_runtime: str, file: str, source: str
) -> None:
    cloud.function(Runtime=node_runtime, Code={"ZipFile": program({file: source})}, Timeout=30)
    assert invoke(cloud).value == "toy"


def test_what_is_nowhere_is_not_found(cloud: FunctionCloud, node_runtime: str) -> None:
    source = "import '@aws-sdk/client-none'; export const handler = async () => 1;"
    cloud.function(Runtime=node_runtime, Code={"ZipFile": program({"index.mjs": source})}, Timeout=30)
    answer = invoke(cloud)
    assert answer.value["errorType"] == "Runtime.ImportModuleError"


@pytest.mark.parametrize("port", ["", "port: 443, "])
def test_response_urls_are_reached_by_clients_that_always_use_https(
    cloud: FunctionCloud, node_runtime: str, port: str
) -> None:
    source = f"""
const https = require("https");
exports.handler = (event) => new Promise((resolve, reject) => {{
  const {{ hostname, pathname }} = new URL(event.ResponseURL);
  const options = {{ hostname, {port}path: pathname, method: "PUT" }};
  https.request(options, (answer) => resolve(answer.statusCode)).on("error", reject).end("{{}}");
}});
"""
    cloud.function(Runtime=node_runtime, Code={"ZipFile": program({"index.js": source})}, Timeout=30)
    url = f"{cloud.aws.endpoint}/_aws/cloudformation-response/none/"
    # Cloudlet's answer for an address that nobody has been given.
    assert invoke(cloud, {"ResponseURL": url}).value == 404
