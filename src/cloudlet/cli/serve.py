"""`cloudlet serve`: one block alone, on its own or as a part of `cloudlet up --isolate`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

import cloudlet
from cloudlet.cli import DEFAULT_PORT, EXIT_USAGE, CommandError, fail, serving
from cloudlet.core.kernel.cloud import EVERY_OTHER
from cloudlet.edge.fleet import LaunchSpec, Patience
from cloudlet.edge.instances import Instance
from cloudlet.edge.isolation import BlockLauncher, BlockProcess
from cloudlet.edge.server import Supervised, default_data

_ADMIN_TOKEN = "CLOUDLET_ADMIN_TOKEN"  # noqa: S105 - the name of a variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("block", help="the block: sqs, sns, …")
    parser.add_argument(
        "--listen",
        default=f"localhost:{DEFAULT_PORT}",
        metavar="HOST:PORT",
        help=f"where to listen (default: localhost:{DEFAULT_PORT})",
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="[BLOCK=]URL",
        help="where another block is reached, or, without a name, all that have no address of their own; may be "
        "repeated",
    )
    serving.add_arguments(parser)
    # For `up --isolate`: sockets that are open already, and whether commits go without a disk synchronisation.
    parser.add_argument("--inherit", metavar="CLIENTS,FRONT[,LISTENING,DATAGRAMS]", help=argparse.SUPPRESS)
    parser.add_argument("--no-sync", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    if (options.tls_cert is None) != (options.tls_key is None):
        return fail("--tls-cert and --tls-key go together", EXIT_USAGE)
    services = serving.known_blocks([options.block])
    host, port = _address(options.listen)
    settings = replace(
        serving.read_settings(options),
        data=(options.data or default_data()).absolute(),
        durable=not options.no_sync,
        host=host,
        port=port,
        services=services,
        store=serving.store(options),
        peers=_peers(options.peer),
        shares_data=True,
        supervised=_supervised(options.inherit),
    )

    def ready(running: Instance) -> None:
        if settings.supervised is None:
            print(f"Cloudlet {cloudlet.__version__}: {options.block}")
            print(f"  listening on  {running.endpoint}")
            if running.xray_daemon is not None:
                print(f"  X-Ray daemon  {running.xray_daemon} (UDP, and HTTP for sampling rules)")
            if running.dns is not None:
                print(f"  name server   {running.dns} (UDP and TCP)")
            print("Ready.", flush=True)

    return serving.run(settings, options, ready)


def _address(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        if parts.hostname is not None and parts.port is not None and not parts.path:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise CommandError(f"not an address to listen on: {text!r} (HOST:PORT)", EXIT_USAGE)


def _peers(given: list[str]) -> Mapping[str, str]:
    peers = {}
    for text in given:
        head, separator, rest = text.partition("=")
        name, url = (head, rest) if separator and "/" not in head else (EVERY_OTHER, text)
        try:
            peers[name] = serving.address_of(url)
        except ValueError as error:
            raise CommandError(str(error), EXIT_USAGE) from error
    named = [name for name in peers if name != EVERY_OTHER]
    if named:
        serving.known_blocks(named)
    return peers


def _supervised(inherit: str | None) -> Supervised | None:
    if inherit is None:
        return None
    clients, front, *daemon = map(int, inherit.split(","))
    return Supervised(clients, front, tuple(daemon), os.environ[_ADMIN_TOKEN])


def launcher(options: argparse.Namespace) -> BlockLauncher:
    """Return how `cloudlet up --isolate`, started with these options, starts its blocks."""
    common = [
        "--auth",
        options.auth,
        "--sandbox",
        options.sandbox,
        "--log-format",
        options.log_format,
        "--log-level",
        options.log_level,
    ]
    if options.ephemeral:
        common.append("--no-sync")
    if options.trace_calls:
        common.append("--trace-calls")
    if options.keep_files is not None:
        common += ["--keep-files", f"{options.keep_files}s"]
    # Secrets go by the environment: everybody on the machine can read a command line.
    secrets = {
        serving.ROOT_KEYS: " ".join(key.written() for key in serving.root_keys(options)),
        serving.STORE: "" if options.ephemeral else serving.store(options) or "",
    }

    def launch(process: BlockProcess) -> LaunchSpec:
        peers = [word for name, url in process.peers.items() for word in ("--peer", f"{name}={url}")]
        inherit = ["--inherit", ",".join(map(str, process.sockets))]
        where = ["--data", str(process.data), "--endpoint", process.endpoint]
        command = [sys.executable, "-m", "cloudlet", "serve", process.name, *inherit, *where, *peers, *common]
        return LaunchSpec(command, {**os.environ, **secrets, _ADMIN_TOKEN: process.admin_token})

    return BlockLauncher(launch, Patience(running=options.block_timeout) if options.block_timeout else None)
