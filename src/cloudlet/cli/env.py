"""`cloudlet env`."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path

from cloudlet.cli import EXIT_OK, CommandError, add_port, admin, fail
from cloudlet.core.host.authorities import find_machine_authorities, join_authorities
from cloudlet.core.host.client_environment import find_overriding_variables
from cloudlet.core.kernel.models import list_models
from cloudlet.edge.instances import Instance, find
from cloudlet.store.folders import replace_file

_TRUSTED_BESIDES = ("NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")


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
    if running is None:
        return fail(f"no Cloudlet runs on port {options.port}")
    variables = {
        "AWS_ENDPOINT_URL": running.public or running.endpoint,
        "AWS_DEFAULT_REGION": options.region,
        "AWS_REGION": options.region,
    }
    own_keys = not options.account and running.strict
    if not own_keys:
        variables |= {"AWS_ACCESS_KEY_ID": options.account or "test", "AWS_SECRET_ACCESS_KEY": "test"}
    if running.public is None:
        # Else clients are to come by that URL, whatever it leads through.
        variables |= {variable_of(model): url for name, url in running.blocks.items() for model in list_models(name)}
    if running.authority is not None:
        variables |= _trusting(running, Path(running.authority))
    for name in find_overriding_variables(os.environ, own_keys=own_keys):
        if name not in variables:
            print(f"unset {name}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return EXIT_OK


def _trusting(running: Instance, authority: Path) -> dict[str, str]:
    """Return the variables that have clients trust an authority of Cloudlet's.

    Clients of AWS come to Cloudlet alone. Node.js and git go elsewhere, too: their list has whom they trusted before,
    and the root of ACM's certificates, by which custom domain names are known.
    """
    everybody = authority.with_name("authorities.pem")
    named = (Path(os.environ[name]) for name in _TRUSTED_BESIDES if os.environ.get(name))
    others = [
        find_machine_authorities(),
        _save_root(running, authority.with_name("acm.pem")),
        *filter(Path.is_file, named),
    ]
    replace_file(everybody, join_authorities(authority, others))
    return {"AWS_CA_BUNDLE": str(authority), **dict.fromkeys(_TRUSTED_BESIDES, str(everybody))}


def _save_root(running: Instance, file: Path) -> Path | None:
    """Return the file of the root of ACM's certificates; None where there are none."""
    if not (Path(running.data) / "blocks" / "acm").exists():
        return None
    try:
        replace_file(file, admin.fetch(running, "GET", "acm/root.pem"))
    except CommandError:
        return None
    return file


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
