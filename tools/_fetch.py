"""Fetch one pinned file of the Python Package Index with pip, and read members of it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path


class ImportFailed(Exception):
    """An error that the user can act on. Its text is the whole message."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def expect_sha256(data: bytes, expected: str, what: str) -> None:
    found = sha256(data)
    if found != expected:
        raise ImportFailed(f"{what}: sha256 is {found}, expected {expected}")


def pip_download(requirement: str, digest: str, options: tuple[str, ...], directory: Path) -> Path:
    """Download one distribution into `directory` and return its path.

    `digest` goes to pip as `--hash`, so pip refuses any other file *before* it looks inside: for a source distribution pip runs
    the package's `setup.py` to learn its metadata, and this way that can only be the one that was reviewed.
    """
    pins = directory / "pins.txt"
    pins.write_text(f"{requirement} --hash=sha256:{digest}\n")
    target = directory / "files"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [*options, "--requirement", str(pins), "--dest", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise ImportFailed(f"pip could not download {requirement}:\n{done.stderr.strip() or done.stdout.strip()}")
    files = list(target.iterdir())
    if len(files) != 1:
        raise ImportFailed(f"pip left {len(files)} files for {requirement}, expected one")
    return files[0]


class Members:
    """Read-only access to the files inside a wheel (zip) or a source distribution (tar.gz), without unpacking it."""

    def __init__(self, name: str, data: bytes):
        self.name = name
        is_wheel = name.endswith(".whl")
        self._zip = zipfile.ZipFile(io.BytesIO(data)) if is_wheel else None
        self._tar = None if is_wheel else tarfile.open(fileobj=io.BytesIO(data))

    def read(self, member: str) -> bytes:
        try:
            if self._zip:
                return self._zip.read(member)
            return self._tar.extractfile(member).read()
        except (KeyError, AttributeError) as error:
            raise ImportFailed(f"{self.name} has no file {member}") from error


def open_distribution(local: Path | None, requirement: str, digest: str, *options: str) -> Members:
    """Open the distribution file `local` if given, else download it. The hash is checked either way."""
    if local is not None:
        try:
            data = local.read_bytes()
        except OSError as error:
            raise ImportFailed(f"cannot read {local}: {error.strerror}") from error
        name = local.name
    else:
        with tempfile.TemporaryDirectory(prefix="dwsep-tools-") as directory:
            path = pip_download(requirement, digest, options, Path(directory))
            data, name = path.read_bytes(), path.name
    expect_sha256(data, digest, name)
    return Members(name, data)


def run(main) -> None:
    """Entry point of a tool: turns `ImportFailed` into one line on stderr and exit status 1."""
    try:
        main()
    except ImportFailed as error:
        sys.exit(f"error: {error}")
