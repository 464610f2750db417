"""A Cloudlet as a child process, and an account on it."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

_LISTENING = re.compile(r"listening on +(\S+)")
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """A running Cloudlet."""

    endpoint: str
    process: subprocess.Popen[str] | None = None

    @classmethod
    def start(
        cls,
        *options: str,
        env: dict[str, str] | None = None,
        user: int | None = None,
        wrapper: Sequence[str] = (),
    ) -> AbstractContextManager[Server]:
        """Run `cloudlet up` with `options` on a free port until the end of the `with` block.

        `user` is the id of the user that runs it, which only root may say; `wrapper` is a command that becomes the one
        it is given.
        """
        return cls._run("up", "--port", "0", *options, env=env, user=user, wrapper=wrapper)

    @classmethod
    def serve(cls, block: str, *options: str, env: dict[str, str] | None = None) -> AbstractContextManager[Server]:
        """Run `cloudlet serve` with `options` until the end of the `with` block."""
        return cls._run("serve", block, *options, env=env)

    @classmethod
    @contextmanager
    def _run(
        cls, *arguments: str, env: dict[str, str] | None, user: int | None = None, wrapper: Sequence[str] = ()
    ) -> Iterator[Server]:
        # Its standard input ends with this process, however that ends: it does not outlive a test run that is killed.
        command = [*wrapper, sys.executable, "-m", "cloudlet", *arguments, "--until-eof"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        try:
            yield cls(_read_endpoint(process), process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    @property
    def port(self) -> str:
        """The port it listens on."""
        return self.endpoint.rpartition(":")[2]

    @contextmanager
    def account(self) -> Iterator[Aws]:
        """Have an account that nobody else has. At the end its buckets are deleted: all accounts share their names."""
        # Imported late, as it imports botocore.
        from cloudlet.testing.buckets import give_back

        aws = Aws(self.endpoint, fresh_account())
        try:
            yield aws
        finally:
            give_back(aws)

    def kill(self) -> None:
        """Kill the process at once, as a crash would."""
        if self.process is None:
            raise RuntimeError("this Cloudlet was not started here")
        self.process.kill()
        self.process.wait()


def _read_endpoint(process: subprocess.Popen[str]) -> str:
    endpoint = None
    for line in process.stdout or ():
        match = _LISTENING.search(line)
        if match:
            endpoint = match[1]
        if line.startswith("Ready.") and endpoint is not None:
            return endpoint
    raise RuntimeError(f"cloudlet ended with code {process.wait()} before it was ready")


@cache
def _shared_session() -> boto3.Session:
    """The session of all clients: what each service is like is read once, not once for each test."""
    import boto3

    return boto3.Session()


_making = Lock()
"""A session makes one client at a time."""


def fresh_account() -> str:
    """Return an account number that no other test has."""
    return str(secrets.randbelow(9 * 10**11) + 10**11)


@dataclass(frozen=True)
class Aws:
    """An account, and clients for it."""

    endpoint: str
    account: str
    region: str = "us-east-1"

    @cached_property
    def session(self) -> boto3.Session:
        """A boto3 session with this account's credentials, whose clients and resources come to this Cloudlet."""
        # Imported late, as it imports boto3.
        from cloudlet.testing.session import Session

        return Session(self.endpoint, self.account, self.region)

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client."""
        own = {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.account,
            "aws_secret_access_key": "test",
        }
        with _making:
            return _shared_session().client(service, **{**own, **options})

    def resource(self, service: str, **options: Any) -> Any:
        """Return a boto3 resource."""
        return self.session.resource(service, **options)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point any AWS client at this account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }
