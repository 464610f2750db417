"""`cloudlet envoy`: the bootstrap of an Envoy of App Mesh, printed or run."""

from __future__ import annotations

import argparse
import json
import os

from cloudlet.cli import EXIT_OK, EXIT_USAGE, CommandError, add_port, admin
from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.mesh_bootstrap import BootstrapOptions, make_bootstrap
from cloudlet.services.appmesh.proxy.node_id import parse_node_id


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("resource", help="the ARN of a virtual node or gateway, or mesh/MESH/virtualNode/NODE")
    parser.add_argument("--address", default="", help="the address to listen on, where no traffic is redirected to it")
    parser.add_argument("--application", default="", help="the address of the application (default: 127.0.0.1)")
    parser.add_argument("--admin", default="", metavar="HOST:PORT", help="the admin interface; or a socket's path")
    parser.add_argument("--tracing", default="", metavar="HOST:PORT", help="report to an X-Ray daemon")
    parser.add_argument("--sds-socket", default="", metavar="PATH", help="the socket of a local SDS provider")
    parser.add_argument("--sign", default="", metavar="REGION", help="sign calls with the keys of its environment")
    parser.add_argument("--mark", type=int, default=0, help="mark its own connections, which are not to be redirected")
    parser.add_argument("--run", action="store_true", dest="run_envoy", help="run Envoy, instead of printing it")


def run(options: argparse.Namespace) -> int:
    node_id = options.resource
    if options.address:
        node_id += f"@{options.address}" + (f"/{options.application}" if options.application else "")
    elif options.application:
        raise CommandError("--application goes with --address", EXIT_USAGE)
    if parse_node_id(node_id, "", "") is None:
        raise CommandError(f"{options.resource} is no virtual node or gateway", EXIT_USAGE)
    server = admin.call(admin.running_on(options.port), "GET", "appmesh/envoys")["address"]
    chosen = BootstrapOptions(
        admin=options.admin,
        tracing=options.tracing,
        sds_socket=options.sds_socket,
        region=options.sign,
        mark=options.mark,
    )
    bootstrap = make_bootstrap(node_id, server, chosen)
    if options.run_envoy:
        try:
            path = str(program.find())
        except program.EnvoyMissingError as error:
            raise CommandError(str(error)) from error
        os.execv(path, [path, "--config-yaml", json.dumps(bootstrap), "--disable-hot-restart", "-l", "warning"])
    print(json.dumps(bootstrap, indent=2))
    return EXIT_OK
