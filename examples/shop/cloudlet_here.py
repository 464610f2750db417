"""The command line of the Cloudlet that the demo runs against, if it does. The shop itself knows nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
from datetime import datetime
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import boto3


class Cloudlet:
    """The Cloudlet that listens on a port."""

    def __init__(self, port: int) -> None:
        self._port = port

    def run(self, *arguments: str) -> str:
        """Run a command; return what it prints."""
        answer = self._run(*arguments)
        answer.check_returncode()
        return answer.stdout

    def now(self) -> datetime:
        """Return the time by its clock."""
        return datetime.fromisoformat(self.run("clock", "show").partition(",")[0].strip())

    def status(self) -> dict[str, Any] | None:
        """Return what it says of itself, or None where none is there."""
        answer = self._run("status", "--json")
        return None if answer.returncode else dict(json.loads(answer.stdout))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["cloudlet", *arguments, "--port", str(self._port)]
        return subprocess.run(command, capture_output=True, text=True)


def find() -> Cloudlet | None:
    """Return the Cloudlet that the environment names, or None where that is AWS, or somebody else."""
    port = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).port
    if port is None or shutil.which("cloudlet") is None:
        return None
    cloudlet = Cloudlet(port)
    return None if cloudlet.status() is None else cloudlet


def lead(url: str, balancer: str) -> None:
    """Have URLs of a host lead to a load balancer, whose name is `balancer`, as a name server would.

    From now on, for `urllib.request`: by HTTPS the host has to show a certificate of this Cloudlet's authority.
    """
    described = boto3.client("elbv2").describe_load_balancers()["LoadBalancers"]
    [found] = [each for each in described if each["DNSName"] == balancer]
    address = found["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["IpAddress"]
    host = urlsplit(url).hostname
    with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/_cloudlet/acm/root.pem") as answer:
        trusted = ssl.create_default_context(cadata=answer.read().decode())

    def open_door(port: int) -> socket.socket:
        try:
            return socket.create_connection((address, port))
        except ConnectionRefusedError:
            # An ordinary user's Cloudlet does not listen below 1024.
            return socket.create_connection((address, 8000 + port))

    class Http(HTTPConnection):
        def connect(self) -> None:
            self.sock = open_door(HTTP_PORT)

    class Https(HTTPSConnection):
        def connect(self) -> None:
            self.sock = trusted.wrap_socket(open_door(HTTPS_PORT), server_hostname=host)

    class Leading(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        def http_open(self, request: urllib.request.Request) -> HTTPResponse:
            is_led = urlsplit(request.full_url).hostname == host
            return self.do_open(Http if is_led else HTTPConnection, request)

        def https_open(self, request: urllib.request.Request) -> HTTPResponse:
            is_led = urlsplit(request.full_url).hostname == host
            return self.do_open(Https if is_led else HTTPSConnection, request)

    urllib.request.install_opener(urllib.request.build_opener(Leading))
