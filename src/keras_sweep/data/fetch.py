"""Bringing data sets here: by Keras's addresses, or as a Debian package that is unpacked without being installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"  # as in keras/src/datasets
SILENCE = 10  # seconds without an answer after which a download is given up
APT_SECONDS = 300  # for one command of apt


class FetchError(Exception):
    """This way did not bring the file; the message says why."""


def download(address: str, path: Path) -> None:
    """Bring one file by HTTPS; what stays silent for so long is given up. Raises FetchError."""
    try:
        with urlopen(address, timeout=SILENCE) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (OSError, HTTPException, ValueError) as error:
        raise FetchError(str(getattr(error, "reason", error))) from error  # of urllib's "<urlopen error ...>"


def unpack_debian_package(package: str, folder: Path) -> None:
    """Download a Debian package by apt-get and unpack its files under `folder`. Needs no root. Raises FetchError."""
    apt = ["apt-get", "-q", "-o", f"Acquire::http::Timeout={SILENCE}", "-o", "Acquire::Retries=1"]
    with tempfile.TemporaryDirectory(prefix="keras-sweep-") as name:
        work = Path(name)
        try:
            _call([*apt, "download", package], work)
        except FetchError:  # an unknown package: the package lists are missing or old, so get some of our own
            for part in ("lists", "cache"):
                (work / part / "partial").mkdir(parents=True)
                (work / part / "archives" / "partial").mkdir(parents=True)
            apt += ["-o", f"Dir::State::lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
            _call([*apt, "update"], work)
            _call([*apt, "download", package], work)
        for archive in work.glob("*.deb"):
            _call(["dpkg-deb", "-x", str(archive), str(folder)], work)


def _call(command: list[str], work: Path) -> None:
    try:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=APT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(str(error)) from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise FetchError(lines[-1] if lines else f"{command[0]} ended with {done.returncode}")
