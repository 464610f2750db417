"""`cloudlet up`."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

import cloudlet
from cloudlet.cli import EXIT_USAGE, CommandError, add_port, fail, serving
from cloudlet.core.kernel.clock_setting import Setting
from cloudlet.core.kernel.clock_setting import load as load_clock
from cloudlet.core.kernel.system_clock import time_by, wall_time
from cloudlet.edge.clock_control import FILE as CLOCK
from cloudlet.edge.instances import Instance, found, get_runtime_folder
from cloudlet.edge.server import default_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("--host", default="localhost", help="the address to listen on (default: localhost)")
    serving.add_arguments(parser)
    parser.add_argument("--services", help="the blocks that may be used, separated by commas (default: all)")
    parser.add_argument(
        "--isolate",
        action="store_true",
        help="run each block in a process of its own, which starts when it is first used, and again when it ends",
    )
    parser.add_argument(
        "--block-timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="with --isolate: kill and restart a block that has not answered for so long (default: 10; 0: never)",
    )
    parser.add_argument("--ephemeral", action="store_true", help="keep nothing: a temporary folder, no disk syncs")
    parser.add_argument("-d", "--detach", action="store_true", help="run in the background; return once it is ready")


def run(options: argparse.Namespace) -> int:
    if (options.tls_cert is None) != (options.tls_key is None):
        return fail("--tls-cert and --tls-key go together", EXIT_USAGE)
    if options.ephemeral and options.data is not None:
        return fail("--ephemeral keeps nothing, so it takes no --data", EXIT_USAGE)
    if options.ephemeral and options.store is not None:
        return fail("--ephemeral keeps nothing, so it takes no --store", EXIT_USAGE)
    if options.ephemeral and options.keep_files is not None:
        return fail("--ephemeral keeps nothing, so it takes no --keep-files", EXIT_USAGE)
    if options.until_eof and options.detach:
        return fail("--detach leaves standard input, so it takes no --until-eof", EXIT_USAGE)
    services = None
    if options.services is not None:
        services = serving.known_blocks([name.strip() for name in options.services.split(",") if name.strip()])
    data = None if options.ephemeral else (options.data or default_data()).absolute()
    store = None if options.ephemeral else serving.store(options)
    _refuse_second(options.port, data if store is None else None)
    launch = None
    if options.isolate:
        from cloudlet.cli.serve import launcher

        launch = launcher(options)
    if options.detach:
        # The folder for temporary files may have the log of another user.
        return serving.detach(data or get_runtime_folder())
    settings = replace(
        serving.read_settings(options),
        data=data,
        durable=not options.ephemeral,
        host=options.host,
        port=options.port,
        services=services,
        isolate=launch,
        store=store,
    )

    def ready(running: Instance) -> None:
        kept = "kept nowhere: removed at the end" if settings.data is None else running.data
        strict = settings.auth == "strict"
        print(f"Cloudlet {cloudlet.__version__}")
        print(f"  listening on  {running.endpoint}")
        if running.public is not None:
            print(f"  endpoint      {running.public}")
        print(f"  data          {kept if settings.store is None else 'in PostgreSQL'}")
        print(f"  auth          {'strict' if strict else 'open (on this machine, unknown keys are let in)'}")
        time = load_clock(Path(running.data) / CLOCK)
        if time != Setting():
            # Imported late, as it imports a client of HTTP.
            from cloudlet.cli import clock

            now = time_by(time)
            print(f"  clock         {clock.shown(now, time.frozen is not None, now - wall_time())}")
        if running.xray_daemon is not None:
            print(f"  X-Ray daemon  {running.xray_daemon} (UDP, and HTTP for sampling rules)")
        if running.dns is not None:
            print(f"  name server   {running.dns} (UDP and TCP)")
        if running.authority is not None:
            print(f"  trust         AWS_CA_BUNDLE={running.authority}")
        if running.failed:
            print(f"  unavailable   {', '.join(running.failed)} (the log says why)")
        for line in _moved(running):
            print(f"  moved         {line}")
        print("Ready.", flush=True)

    return serving.run(settings, options, ready)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return float(text)


def _refuse_second(port: int, data: Path | None) -> None:
    """Raise CommandError where a Cloudlet runs on a port, or on a data folder, already."""
    for running in found():
        stops = f"`cloudlet down --port {running.port}` stops it"
        if running.port == port:
            raise CommandError(f"Cloudlet runs on port {port} already, as process {running.pid}: {stops}")
        if data is not None and running.data == str(data):
            raise CommandError(f"Cloudlet runs on {data} already, on port {running.port}: {stops}")


def _moved(running: Instance) -> list[str]:
    """Return which blocks are not at the port that they had before."""
    if not running.blocks:
        return []
    from cloudlet.edge.ports import remembered

    before = {name: f"http://127.0.0.1:{port}" for name, port in remembered(Path(running.data)).items()}
    return [
        f"{name} is at {url} this time: another program has {before[name]}"
        for name, url in running.blocks.items()
        if before.get(name, url) != url
    ]
