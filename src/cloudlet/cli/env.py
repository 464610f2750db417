"""`cloudlet env`."""

from __future__ import annotations

import argparse
import os
import re
import shlex

from cloudlet.cli import EXIT_OK, add_port
from cloudlet.core.client_environment import misleading
from cloudlet.core.models import models_of
from cloudlet.edge.running import find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument(
        "--account",
        type=_access_key,
        help="the access key id: 12 digits are that account (default: test; with --auth strict, none: yours are kept)",
    )
    parser.add_argument("--region", type=_region, default="us-east-1", help="the region (default: us-east-1)")
    parser.epilog = 'Use it as: eval "$(cloudlet env)"'


def run(options: argparse.Namespace) -> int:
    running = find(options.port)
    variables = {
        "AWS_ENDPOINT_URL": f"http://localhost:{options.port}" if running is None else running.endpoint,
        "AWS_DEFAULT_REGION": options.region,
        "AWS_REGION": options.region,
    }
    own_keys = not options.account and running is not None and running.strict
    if not own_keys:
        variables |= {"AWS_ACCESS_KEY_ID": options.account or "test", "AWS_SECRET_ACCESS_KEY": "test"}
    if running is not None:
        variables |= {variable_of(model): url for name, url in running.blocks.items() for model in models_of(name)}
    if running is not None and running.authority is not None:
        variables["AWS_CA_BUNDLE"] = running.authority
    for name in misleading(os.environ, own_keys=own_keys):
        if name not in variables:
            print(f"unset {name}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return EXIT_OK


def _access_key(text: str) -> str:
    if not re.fullmatch(r"\w+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"not an access key id: {text!r} (letters and digits)")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+", text):
        raise argparse.ArgumentTypeError(f"not a region: {text!r} (us-east-1)")
    return text


def variable_of(model: str) -> str:
    """Return the variable that points clients of one service somewhere (SDKs and Tools Reference Guide).

    Its end is the service's id, with underscores for spaces.
    """
    from cloudlet.wire import load

    return "AWS_ENDPOINT_URL_" + load(model).service_id.upper().replace(" ", "_")
