"""A REST API in a process of its own is told the names of headers as the client wrote them."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.services.apigateway.rest.cloud import RestCloud

NAMES = "#foreach($name in $input.params().header.keySet())$name #end"


def test_names_of_headers_are_as_the_client_wrote_them(isolated: Aws) -> None:
    cloud = RestCloud(isolated)
    api = cloud.rest_api()
    cloud.mocked(api, "/", "POST", template=NAMES)
    cloud.deploy(api)
    answer = cloud.call(api, "/", method="POST", headers={"x-lower": "1", "X-ODD-case": "2"}, body="{}")
    names = answer.body.decode().split()
    assert {"Host", "x-lower", "X-ODD-case", "Content-Length"} <= set(names)
    assert "Connection" not in names
