"""optuna-dashboard on a sweep's record, for looking: nothing that is clicked in it can alter the record.

The database is opened read-only, and requests that would write are refused before they come to the dashboard. It
listens on loopback alone, and answers only who calls it by a loopback name: no page of the web (DNS rebinding).
"""

import socketserver
import sqlite3
import wsgiref.simple_server as wsgi
from typing import Any

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.record.reader import read_facts
from keras_sweep.record.sweep_folder import SweepFolder

HOST = "127.0.0.1"
NAMES = frozenset({"127.0.0.1", "localhost"})
LOOKING = frozenset({"GET", "HEAD"})
REFUSED = b'{"reason": "this dashboard only shows: `sweep` alone writes the record"}'


class Server(socketserver.ThreadingMixIn, wsgi.WSGIServer):
    """A server whose requests do not wait for each other, and end with it."""

    daemon_threads = True

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_port}/dashboard"


class _Quiet(wsgi.WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print no line a request."""


def dashboard_server(folder: SweepFolder, port: int) -> Server:
    """A server of the sweep's dashboard, listening; `serve_forever` answers. Port 0 is any free one.

    Raises MissingPackage: optuna-dashboard is not installed; UsageError: the port can't be had; RecordError.
    """
    try:
        import optuna_dashboard
    except ModuleNotFoundError:
        raise MissingPackage("optuna-dashboard is not installed", hint="pip install 'keras-sweep[dashboard]'") from None
    read_facts(folder)
    dashboard = optuna_dashboard.wsgi(_storage(folder))

    def guarded(environ: dict[str, Any], start_response: Any) -> Any:
        """Refuse requests that would write, or that come under another name than loopback's."""
        host = str(environ.get("HTTP_HOST", "")).rpartition(":")[0] or str(environ.get("HTTP_HOST", ""))
        if host in NAMES and environ.get("REQUEST_METHOD") in LOOKING:
            return dashboard(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [REFUSED]

    try:
        return wsgi.make_server(HOST, port, guarded, Server, _Quiet)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"port {port} of {HOST} can't be had: {getattr(error, 'strerror', None) or error}",
            hint="Give another one with `--port`; `--port 0` takes any that is free",
        ) from error


def _storage(folder: SweepFolder) -> Any:
    """An Optuna storage of the record that can't write."""
    import optuna

    place = f"{folder.study.absolute().as_uri()}?mode=ro"
    engine = {"creator": lambda: sqlite3.connect(place, uri=True, check_same_thread=False)}
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs=engine, skip_table_creation=True)
