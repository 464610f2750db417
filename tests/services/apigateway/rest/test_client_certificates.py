"""Stages with a client certificate, which endpoints are shown."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.apigateway.rest.cloud import RestCloud


class _Handler(BaseHTTPRequestHandler):
    """Answers with the name in the certificate that its client has shown."""

    def do_GET(self) -> None:
        shown: Any = self.connection.getpeercert()  # type: ignore[attr-defined]
        content = str(dict(pair for part in shown["subject"] for pair in part)["commonName"]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serve(own: Path, trusted: str) -> Iterator[str]:
    """Run an HTTPS server that wants a certificate of its clients; yield its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    context.load_verify_locations(cadata=trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/who"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _make_certificate(path: Path) -> None:
    """Write a certificate of 127.0.0.1, signed by itself, with its key."""
    subject = ("-subj", "/CN=endpoint", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "3650")
    files = ("-keyout", str(path), "-out", str(path) + ".pem")
    subprocess.run(["openssl", "req", "-quiet", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files], check=True)
    path.write_text(path.read_text() + Path(f"{path}.pem").read_text())


def test_an_endpoint_is_shown_the_certificate_of_the_stage(tmp_path: Path) -> None:
    own = tmp_path / "endpoint"
    _make_certificate(own)
    with Server.start("--ephemeral", env={"SSL_CERT_FILE": f"{own}.pem"}) as server:
        cloud = RestCloud(Aws(server.endpoint, fresh_account()))
        made = cloud.client.generate_client_certificate()
        id = made["clientCertificateId"]
        with _serve(own, made["pemEncodedCertificate"]) as url:
            api = cloud.rest_api()
            names = cloud.method(api, "/who")
            cloud.client.put_integration(**names, type="HTTP_PROXY", integrationHttpMethod="GET", uri=url)
            deployment = cloud.client.create_deployment(restApiId=api)["id"]
            for stage in ("shown", "hidden"):
                cloud.client.create_stage(stageName=stage, restApiId=api, deploymentId=deployment)

            def change(**operation: str) -> None:
                patch = [{**operation, "path": "/clientCertificateId"}]
                cloud.client.update_stage(restApiId=api, stageName="shown", patchOperations=patch)

            change(op="replace", value=id)
            assert cloud.client.get_stage(restApiId=api, stageName="shown")["clientCertificateId"] == id
            assert cloud.call(api, "/who", stage="shown").body == b"ApiGateway"
            assert cloud.call(api, "/who", stage="hidden").status == 504
            tested = cloud.client.test_invoke_method(**names, clientCertificateId=id)
            assert (tested["status"], tested["body"]) == (200, "ApiGateway")
            with pytest.raises(ClientError, match="Invalid Client Certificate identifier"):
                change(op="replace", value="other")
            change(op="remove")
            assert cloud.call(api, "/who", stage="shown").status == 504
