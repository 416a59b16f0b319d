"""The how-to for a team: a record's study, copied to a PostgreSQL server, is there as Optuna reads it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from tests.helpers.whole_sweeps import folder_of, run_space

# A server refuses to run as root.
AS_POSTGRES = ("runuser", "-u", "postgres", "--") if getattr(os, "geteuid", os.getpid)() == 0 else ()


def program(name: str) -> str:
    """Debian keeps them beside the version that they are of."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server on loopback, which ends with the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp())
    data = folder / "data"
    if AS_POSTGRES:
        shutil.chown(folder, "postgres")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    ours = (*AS_POSTGRES, program("pg_ctl"), "-D", str(data))
    subprocess.run([*AS_POSTGRES, program("initdb"), "-D", str(data), "-U", "sweeps", "-A", "trust"], check=True)
    subprocess.run([*ours, "-w", "-l", str(folder / "log"), "-o", options, "start"], check=True)
    try:
        yield f"postgresql://sweeps@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*ours, "-m", "fast", "stop"], check=True)
        shutil.rmtree(folder)


@pytest.mark.soak
def test_a_study_that_is_copied_has_every_trial(tmp_path: Path, server: str) -> None:
    run_space(tmp_path, "plain").ok()
    here = optuna.storages.RDBStorage(f"sqlite:///{folder_of(tmp_path, 'plain').study}")
    there = optuna.storages.RDBStorage(server)
    optuna.copy_study(from_study_name="plain", from_storage=here, to_storage=there)
    mine, theirs = (optuna.load_study(study_name="plain", storage=storage) for storage in (here, there))
    assert len(theirs.trials) == 18
    for one, other in zip(mine.trials, theirs.trials, strict=True):
        assert (one.params, one.value, one.state, one.user_attrs) == (
            other.params, other.value, other.state, other.user_attrs,
        )  # fmt: skip
    assert theirs.user_attrs == mine.user_attrs
    for storage in (here, there):
        storage.remove_session()
        storage.engine.dispose()
