"""How the servers that tests share are run, for CLOUDLET_TEST_MODE: else in one process, which keeps nothing.

`isolate`: each block in a process of its own; `postgres`: with the data in a PostgreSQL; `replicas`: as two processes
on one PostgreSQL, which take turns with the requests; `strict`: known keys only, and permissions are enforced.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final, Literal, cast, get_args

import boto3
import botocore
import pytest

from cloudlet.cli.serving import ROOT_KEYS
from cloudlet.testing import server as testing
from cloudlet.testing.server import Server
from tests.postgres.server import fresh_database

Mode = Literal["isolate", "postgres", "replicas", "strict"]


def _asked_for() -> Mode | None:
    asked = os.environ.get("CLOUDLET_TEST_MODE") or None
    for mode in get_args(Mode):
        if asked == mode:
            return cast(Mode, mode)
    if asked is None:
        return None
    raise pytest.UsageError(f"CLOUDLET_TEST_MODE is one of {', '.join(get_args(Mode))}, not {asked}")


MODE: Final = _asked_for()

STRICT_ACCOUNTS = range(100_000_000_000, 100_000_004_000)
"""Those that a server in strict mode knows: as many as an environment variable can name."""

POLICY_ADDED: Final = "let-all-in"
"""The id of the handler by which queues let in whoever delivers to them; tests of permissions do without it."""

_CHUNK = 64 * 1024


def meaningless_in(*modes: Mode, because: str) -> pytest.MarkDecorator:
    """Leave a test out in some modes."""
    return pytest.mark.skipif(MODE in modes, reason=because)


@dataclass(frozen=True)
class Balanced(Server):
    """Several processes that are one Cloudlet; clients reach all of them at one endpoint."""

    replicas: tuple[Server, ...] = ()


def processes(server: Server) -> tuple[Server, ...]:
    """Return the servers that a command for one process has to be given to."""
    return server.replicas if isinstance(server, Balanced) else (server,)


@contextmanager
def shared_by_tests(env: Mapping[str, str], mode: Mode | None = MODE) -> Iterator[Server]:
    """Run a server until the end of the `with` block, as the mode has it."""
    with ExitStack() as stack:

        def start(*options: str) -> Server:
            return stack.enter_context(Server.start(*options, env=dict(env)))

        match mode:
            case "isolate":
                yield start("--ephemeral", "--isolate")
            case "strict":
                env = {**env, ROOT_KEYS: " ".join(f"{account}:{account}:test" for account in STRICT_ACCOUNTS)}
                yield start("--ephemeral", "--auth", "strict")
            case "postgres" | "replicas":
                stored = "--store", fresh_database(), "--data", stack.enter_context(tempfile.TemporaryDirectory())
                if mode == "postgres":
                    yield start(*stored)
                else:
                    balancer = stack.enter_context(_balancer())
                    replicas = tuple(start(*stored, "--endpoint", balancer.endpoint) for _ in range(2))
                    balancer.lead_to(replicas)
                    yield Balanced(balancer.endpoint, None, replicas)
            case _:
                yield start("--ephemeral")


class _Balancer:
    """Leads each connection to the next one of several servers."""

    def __init__(self) -> None:
        self._ports: Iterator[str] = iter(())
        self._loop = asyncio.new_event_loop()
        self._listening = self._loop.run_until_complete(asyncio.start_server(self._lead, "127.0.0.1", 0))
        self.endpoint = f"http://localhost:{self._listening.sockets[0].getsockname()[1]}"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def lead_to(self, servers: tuple[Server, ...]) -> None:
        self._ports = cycle([server.port for server in servers])

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to_there = await asyncio.open_connection("localhost", next(self._ports))
        except OSError:
            writer.close()
            return
        ways = [asyncio.ensure_future(_pass_on(reader, to_there)), asyncio.ensure_future(_pass_on(there, writer))]
        # Where either side hangs up, the other is to know.
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        writer.close()
        to_there.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        # One of the two has hung up.
        return


@contextmanager
def _balancer() -> Iterator[_Balancer]:
    balancer = _Balancer()
    try:
        yield balancer
    finally:
        balancer.close()


def _connect_anew(session: Any) -> None:
    """Have clients of a session make each request on a connection of its own, which leads to the next process."""

    def close(request: Any, **_: Any) -> None:
        request.headers["Connection"] = "close"

    session.register("before-send", close)


def _let_all_in(session: Any) -> None:
    """Have queues that tests create let in whoever delivers to them, as they have to on AWS."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def add(params: dict[str, Any], **_: Any) -> None:
        params["Attributes"] = {"Policy": policy, **params.get("Attributes", {})}

    session.register("before-parameter-build.sqs.CreateQueue", add, unique_id=POLICY_ADDED)


def _give_roles(session: Any) -> None:
    """Have the roles that tests name for functions be there, as they have to on AWS; they may do everything."""
    made: set[str] = set()

    def make(params: dict[str, Any], request_signer: Any, **_: Any) -> None:
        role = json.loads(params["body"] or "{}").get("Role", "")
        keys = request_signer._credentials
        if role in made or not role.startswith(f"arn:aws:iam::{keys.access_key}:") or "https:" in params["url"]:
            return
        made.add(role)
        endpoint = params["url"].partition("/2015-03-31/")[0]
        session = boto3.Session(keys.access_key, keys.secret_key, region_name="us-east-1")
        iam = session.client("iam", endpoint_url=endpoint)
        path, _, name = role.partition(":role")[2].rpartition("/")
        try:
            iam.create_role(Path=f"{path}/", RoleName=name, AssumeRolePolicyDocument=document(FOR_LAMBDA))
        except iam.exceptions.EntityAlreadyExistsException:
            # The test has made it, as it wants it to be.
            return
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document(ALLOW_ALL))

    for operation in ("CreateFunction", "UpdateFunctionConfiguration"):
        session.register(f"before-call.lambda.{operation}", make)


ALLOW_ALL: Final = {"Effect": "Allow", "Action": "*", "Resource": "*"}
FOR_LAMBDA: Final = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def document(*statements: dict[str, Any]) -> str:
    """Return a policy as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


if MODE == "replicas":
    botocore.register_initializer(_connect_anew)
elif MODE == "strict":
    botocore.register_initializer(_let_all_in)
    botocore.register_initializer(_give_roles)
    _accounts = map(str, STRICT_ACCOUNTS)
    # Before tests import it: an account that the server knows.
    testing.fresh_account = lambda: next(_accounts)
