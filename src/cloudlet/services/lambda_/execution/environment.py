"""The variables that a function finds. Developer guide, "Defined runtime environment variables"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cloudlet.services.lambda_.functions.function import Version

TASK_ROOT, LAYERS_ROOT, RUNTIME_ROOT = "/var/task", "/opt", "/var/runtime"
LIBRARY_PATH = f"/var/lang/lib:/lib64:/usr/lib64:{RUNTIME_ROOT}:{RUNTIME_ROOT}/lib:{TASK_ROOT}:{TASK_ROOT}/lib:/opt/lib"
_PATH = "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"


class Credentials(NamedTuple):
    """Temporary credentials of a function's role; `expires` is in seconds since the epoch."""

    access_key: str
    secret_key: str
    token: str
    expires: float


def at_start() -> dict[str, str]:
    """Return what a process must have from its beginning, before it is known which function it will be."""
    return {"LD_LIBRARY_PATH": LIBRARY_PATH, "PATH": _PATH, "LANG": "C.UTF-8", "TZ": ":UTC"}


def _is_managed(version: Version) -> bool:
    return version.image is None and not version.runtime.startswith("provided")


def _libraries(version: Version) -> dict[str, str]:
    """Return what leads to libraries in layers, for runtimes that do not look there by themselves."""
    if not version.runtime.startswith("nodejs"):
        return {}
    major = version.runtime.removeprefix("nodejs").removesuffix(".x")
    folders = (f"{LAYERS_ROOT}/nodejs/node{major}", f"{LAYERS_ROOT}/nodejs", RUNTIME_ROOT)
    return {"NODE_PATH": ":".join(f"{folder}/node_modules" for folder in folders)}


def variables(
    version: Version,
    log_stream: str | None,
    endpoint: str,
    credentials: Credentials,
    initialization: str,
    daemon: str | None,
    trusted: Mapping[str, str],
) -> dict[str, str]:
    """Return all variables of a function's process; its own come over those that are not reserved.

    `log_stream` is None where it is not known yet to what it will log; `daemon` is where it can send X-Ray something;
    `trusted` is what leads to the authorities that it trusts.
    """
    region = version.place.region
    logs = {}
    if log_stream is not None:
        logs = {"AWS_LAMBDA_LOG_GROUP_NAME": version.log_group, "AWS_LAMBDA_LOG_STREAM_NAME": log_stream}
    found = {
        **at_start(),
        **(version.image.environment if version.image else {}),
        # An image, and a runtime of the function's own, is not known by a name.
        **({"AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}"} if _is_managed(version) else {}),
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        **({} if daemon is None else {"AWS_XRAY_DAEMON_ADDRESS": daemon}),
        **_libraries(version),
        **trusted,
        **version.variables,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
        "AWS_LAMBDA_FUNCTION_NAME": version.place.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(version.memory),
        **logs,
        "AWS_LAMBDA_LOG_FORMAT": version.logging.format,
        "LAMBDA_TASK_ROOT": TASK_ROOT,
        "LAMBDA_RUNTIME_DIR": RUNTIME_ROOT,
    }
    if version.handler:
        found["_HANDLER"] = version.handler
    if version.logging.application_level:
        found["AWS_LAMBDA_LOG_LEVEL"] = version.logging.application_level
    return found
