"""Measures S3: `python -m benchmarks.s3`, explained in README.md."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import s3_nginx, s3_scenarios
from benchmarks.contenders import S3_CONTENDERS, S3_KEY, Contender
from benchmarks.rounds import (
    FAILURES,
    MIB,
    Run,
    Settings,
    Speeds,
    compare,
    measure_speeds,
    parser,
    say,
    speed_rows,
)
from benchmarks.s3_api import S3Api
from benchmarks.scenarios import Started
from benchmarks.table import Row

TIMES = 5
"""How often a large object is sent, and received."""

SPEEDS: Speeds = {
    "put": ("PutObject of 1 KiB", "requests", s3_scenarios.put),
    "get": ("GetObject of 1 KiB", "requests", s3_scenarios.get),
    "list": ("ListObjectsV2 of 1,000", "requests", s3_scenarios.list_page),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    options = parser("S3", S3_CONTENDERS).parse_args(arguments)
    try:
        s3_nginx.ensure_installed()
    except s3_nginx.NoNginx as error:
        print(error, file=sys.stderr)
        return 2
    return compare(
        "python -m benchmarks.s3 " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        S3_CONTENDERS,
        _rows(),
        _measure,
        api=lambda host, key: S3Api(host, S3_KEY),
        server=Started,
    )


def _measure(run: Run, contender: Contender, round_number: int) -> None:
    def large(server: Started[S3Api]) -> None:
        try:
            _measure_large(run, contender.name, server)
        except (*FAILURES, s3_nginx.NoNginx) as error:
            run.fail(contender.name, "objects of 64 MiB", error, ["large."])

    measure_speeds(run, contender, round_number, SPEEDS, large)


def _measure_large(run: Run, name: str, server: Started[S3Api]) -> None:
    """Large objects, beside what nginx and MD5 reach at the same time."""
    with tempfile.TemporaryDirectory(prefix="large-", dir=run.cache) as temporary:
        folder = Path(temporary)
        before = server.process.resident_bytes()
        put, get = s3_scenarios.large(server, folder, TIMES)
        run.note("large.mib", name, (server.process.peak_resident_bytes() - before) / MIB)
        with s3_nginx.serving(folder, folder / "nginx") as host:
            request = b"GET /large HTTP/1.1\r\nHost: nginx\r\n\r\n"
            nginx = max(s3_scenarios.LARGE_BYTES / s3_scenarios.received(host, request) for _ in range(TIMES))
    md5 = s3_scenarios.md5_alone()
    run.note("large.put", name, put / MIB)
    run.note("large.of_md5", name, put / md5 * 100)
    run.note("large.get", name, get / MIB)
    run.note("large.of_nginx", name, get / nginx * 100)
    say(
        f"  64 MiB: PutObject {put / MIB:,.0f} MiB/s, MD5 {md5 / MIB:,.0f}; "
        f"GetObject {get / MIB:,.0f}, nginx {nginx / MIB:,.0f}"
    )


def _rows() -> Iterator[Row]:
    yield from speed_rows(SPEEDS)
    yield Row("large.put", "PutObject of 64 MiB, MiB/s", "more")
    yield Row("large.of_md5", "… % of MD5 alone", "")
    yield Row("large.get", "GetObject of 64 MiB, MiB/s", "more")
    yield Row("large.of_nginx", "… % of nginx", "")
    yield Row("large.mib", "… memory that 64 MiB took, MiB", "less")


if __name__ == "__main__":
    sys.exit(main())
