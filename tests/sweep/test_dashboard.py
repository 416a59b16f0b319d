"""The dashboard shows a record, and nothing that reaches it can alter that record."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest

from keras_sweep.errors import MissingPackage, RecordError, UsageError
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.dashboard import HOST, REFUSED, Server, create_server
from tests.helpers.records import new_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    return new_folder(tmp_path_factory.mktemp("sweeps"))


@pytest.fixture(scope="module")
def server(folder: SweepFolder) -> Iterator[Server]:
    with create_server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", *, host: str | None = None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", **({"Host": host} if host else {})}
    with closing(HTTPConnection(HOST, server.server_port)) as connection:
        connection.request(method, path, None if method == "GET" else b"{}", headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_it_shows_the_study_and_its_trials(server):
    status, page = ask(server, "/dashboard")
    assert (status, b"<html" in page.lower()) == (200, True)
    _, studies = ask(server, "/api/studies")
    (study,) = json.loads(studies)["study_summaries"]
    assert study["study_name"] == "dense"
    _, whole = ask(server, f"/api/studies/{study['study_id']}")
    assert len(json.loads(whole)["trials"]) == 12


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/studies/1"),
        ("POST", "/api/studies"),
        ("PUT", "/api/studies/1/note"),
        ("POST", "/api/trials/1/tell"),
    ],
)
def test_a_click_that_would_write_is_refused_and_the_record_stays_as_it_is(server, folder, method, path):
    before = folder.study.read_bytes()
    status, said = ask(server, path, method)
    assert (status, said) == (403, REFUSED)
    assert folder.study.read_bytes() == before


def test_the_database_itself_is_open_for_reading_alone(folder):
    import optuna

    from keras_sweep.sweep.optuna_storage import open_read_only

    storage = open_read_only(folder.study)
    before = folder.study.read_bytes()
    with pytest.raises(optuna.exceptions.StorageInternalError):
        storage.set_study_user_attr(1, "metric", "another")
    with pytest.raises(optuna.exceptions.StorageInternalError):
        storage.delete_study(1)
    assert folder.study.read_bytes() == before


def test_it_listens_on_loopback_alone_and_who_calls_it_by_another_name_is_refused(server):
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, "/api/studies", host="attacker.example")[0] == 403
    assert ask(server, "/api/studies", host="localhost")[0] == 200


def test_a_port_that_is_taken_or_none_is_named(folder):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        for port in (taken.getsockname()[1], 70_000):
            with pytest.raises(UsageError, match=rf"port {port} .*is not available: .*`--port 0`"):
                create_server(folder, port)


def test_without_the_package_its_install_command_is_said(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna_dashboard", None)
    with pytest.raises(MissingPackage, match=r"pip install 'keras-sweep\[dashboard\]'"):
        create_server(folder, 0)


def test_a_damaged_record_is_said_before_anything_listens(tmp_path):
    folder = new_folder(tmp_path, trials=2)
    folder.study.write_bytes(b"no database")
    with pytest.raises(RecordError):
        create_server(folder, 0)
