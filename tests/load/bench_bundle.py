"""Measure bundles: large ones on the disk and from bucket to bucket, and ones of many small files.

    python -m tests.load.bench_bundle [--gigabytes 4] [--rounds 3] [--directory /where/there/is/room]
    python -m tests.load.bench_bundle --store s3       8 × 256 MB, from and to an S3 server on this machine
    python -m tests.load.bench_bundle --store small    2,000 × 100 kB and 20,000 × 100 B, beside zipstream-ng
    python -m tests.load.bench_bundle --store small-s3 2,000 × 100 kB, from and to an S3 server on this machine

Each round runs in a process of its own, and everything is compared within one run. On the disk, sources are sparse
files, so that reading costs little and what is measured is the bundling. `zip -0` and zipstream-ng neither know the
archive's size and CRCs beforehand nor bring it to the disk; "fsync" does the latter, as the bundle does.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.load.measured import Cost, measure, print_table
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, S3Server, require_s3_server, running_server
from tests.support.tools import require_tool

FILES = 8
S3_FILE_BYTES = 256 * 1000 * 1000
S3_SMALL_FILES = 2_000
S3_SMALL_FILE_BYTES = 100_000
SMALL = ((2_000, 100_000), (20_000, 100))


def main() -> None:
    """Run the rounds and print the tables."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        home = Path(directory)
        if options.store == "s3":
            _compare_s3(FILES, S3_FILE_BYTES, "copy_s3", options.rounds)
        elif options.store == "small-s3":
            _compare_s3(S3_SMALL_FILES, S3_SMALL_FILE_BYTES, "copy_small_s3", options.rounds)
        elif options.store == "small":
            for count, size_bytes in SMALL:
                _compare_small(home / f"{count}", count, size_bytes, options.rounds)
        else:
            _compare_on_disk(home, options.gigabytes * 10**9, options.rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--store", choices=["directory", "s3", "small", "small-s3"], default="directory")
    parser.add_argument("--gigabytes", type=float, default=4, help="of all sources together, on the disk")
    parser.add_argument("--rounds", type=int, default=3, help="the tables show medians")
    parser.add_argument("--directory", type=Path, help="where the temporary directory is made")
    return parser.parse_args()


def _contender(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.load.bundle_contenders", name, *map(str, arguments)]


def _compare_on_disk(home: Path, total_bytes: float, rounds: int) -> None:
    require_tool("zip")
    sources, archive = home / "sources", home / "zip.zip"
    sources.mkdir()
    names = [f"source-{number}.bin" for number in range(FILES)]
    for name in names:
        with (sources / name).open("wb") as file:
            file.truncate(int(total_bytes) // FILES)
    zip_command = ["zip", "-0", "-q", "-X", str(archive), *names]
    contenders: dict[str, tuple[list[str], Path | None]] = {
        "bundle": (_contender("bundle_directory", home), None),
        "zip -0": (zip_command, sources),
        "zip -0, fsync": (["sh", "-c", '"$@" && sync "$0"', str(archive), *zip_command], sources),
    }
    measured: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (command, directory) in contenders.items():
            measured[name].append(measure(command, directory))
            shutil.rmtree(home / "objects", ignore_errors=True)
            archive.unlink(missing_ok=True)
            os.sync()  # nobody pays for what another one left to be written
    print_table(f"{total_bytes / 1e9:g} GB in {FILES} sparse files", measured, total_bytes)


def _compare_small(home: Path, count: int, size_bytes: int, rounds: int) -> None:
    (home / "sources").mkdir(parents=True)
    for number in range(count):
        (home / "sources" / f"{number:05}.bin").write_bytes(os.urandom(size_bytes))
    archive = home / "zipstream.zip"
    contenders = {
        "bundle": _contender("bundle_directory", home),
        "zipstream-ng": _contender("zipstream", home),
        "zipstream-ng, fsync": ["sh", "-c", '"$@" && sync "$0"', str(archive), *_contender("zipstream", home)],
    }
    measured: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, command in contenders.items():
            measured[name].append(measure(command))
            shutil.rmtree(home / "objects", ignore_errors=True)
            archive.unlink(missing_ok=True)
            os.sync()
    print_table(f"{count:,} files of {size_bytes:,} bytes", measured, count * size_bytes)


def _compare_s3(files: int, file_bytes: int, copy: str, rounds: int) -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1"}
    with running_server(require_s3_server()) as server:
        plain, with_crc = server.new_bucket(), server.new_bucket()
        content = os.urandom(100_000) * (file_bytes // 100_000)
        for number in range(files):
            server.client.put_object(Bucket=plain, Key=f"{number}", Body=content, ChecksumAlgorithm="SHA256")
            server.client.put_object(Bucket=with_crc, Key=f"{number}", Body=content, ChecksumAlgorithm="CRC32")
        target = server.new_bucket()
        query = f"?endpoint={server.url}&style=path"
        contenders = {
            "bundle, CRCs unknown": _contender("bundle_s3", f"s3://{plain}{query}", f"s3://{target}{query}", files),
            "bundle, CRCs at the store": _contender(
                "bundle_s3", f"s3://{with_crc}{query}", f"s3://{target}{query}", files
            ),
            "plain copy (boto3)": _contender(copy, server.url, plain, target, files),
        }
        measured: dict[str, list[Cost]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, command in contenders.items():
                measured[name].append(measure(command))
                _empty(server, target)
                os.sync()
        print_table(f"{files:,} × {file_bytes:,} bytes, {server.found}", measured, files * file_bytes)


def _empty(server: S3Server, bucket: str) -> None:
    while found := server.client.list_objects_v2(Bucket=bucket).get("Contents"):
        for item in found:
            server.client.delete_object(Bucket=bucket, Key=item["Key"])


if __name__ == "__main__":
    main()
