"""Which runtimes there are, and which may not be chosen any more. Developer guide, "Lambda runtimes"."""

from __future__ import annotations

from cloudlet.services.lambda_ import errors

_LATEST = {
    "nodejs": "nodejs24.x",
    "python": "python3.14",
    "java": "java25",
    "dotnet": "dotnet10",
    "ruby": "ruby3.4",
    "go": "provided.al2023",
    "provided": "provided.al2023",
}
"""What is recommended in place of a runtime of the same family."""
_DEPRECATED = frozenset(
    (
        "nodejs",
        "nodejs4.3",
        "nodejs4.3-edge",
        "nodejs6.10",
        "nodejs8.10",
        "nodejs10.x",
        "nodejs12.x",
        "nodejs14.x",
        "nodejs16.x",
        "python2.7",
        "python3.6",
        "python3.7",
        "python3.8",
        "java8",
        "dotnetcore1.0",
        "dotnetcore2.0",
        "dotnetcore2.1",
        "dotnetcore3.1",
        "dotnet6",
        "ruby2.5",
        "ruby2.7",
        "go1.x",
        "provided",
    )
)
"""Functions can neither be created nor updated with them."""
_SNAPSHOTS_SINCE = {"python3.": 12, "java": 11, "dotnet": 8}
"""From which version on the runtimes of a family have SnapStart."""
_SPECIAL = frozenset(("custom",))


def check(runtime: str) -> None:
    """Raise AwsError for a runtime that cannot be chosen."""
    if runtime in _SPECIAL:
        raise errors.not_built(f"the runtime {runtime}")
    if runtime in _DEPRECATED:
        family = next(name for name in _LATEST if runtime.startswith(name))
        raise errors.invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            f"We recommend you use the new runtime ({_LATEST[family]}) while creating or updating functions."
        )


def has_snapshots(runtime: str) -> bool:
    """Whether functions of a runtime may have SnapStart."""
    for family, first in _SNAPSHOTS_SINCE.items():
        number = runtime.removeprefix(family)
        if number != runtime and number.isdecimal():
            return int(number) >= first
    return False
