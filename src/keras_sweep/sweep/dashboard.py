"""Serve optuna-dashboard on a sweep's record, for reading only.

The database is opened read-only, and requests that would write are refused. The server listens on 127.0.0.1. It answers
only requests to a loopback name. So a web page can't reach the server by DNS rebinding.
"""

import socketserver
import wsgiref.simple_server as wsgi
from typing import Any

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.record.reader import read_facts
from keras_sweep.record.sweep_folder import SweepFolder

HOST = "127.0.0.1"
NAMES = frozenset({"127.0.0.1", "localhost"})
LOOKING = frozenset({"GET", "HEAD"})
REFUSED = b'{"reason": "this dashboard is read-only: only `sweep` writes the record"}'


class Server(socketserver.ThreadingMixIn, wsgi.WSGIServer):
    daemon_threads = True  # threads that answer requests end with the server

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_port}/dashboard"


class _Quiet(wsgi.WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing for a request."""


def create_server(folder: SweepFolder, port: int) -> Server:
    """Create a server for the sweep's dashboard. Call `serve_forever` to answer requests. Port 0 is any free port.

    Raises MissingPackage without optuna-dashboard, UsageError for an unusable port, RecordError for an unreadable
    record.
    """
    try:
        import optuna_dashboard
    except ModuleNotFoundError:
        raise MissingPackage("optuna-dashboard is not installed", hint="pip install 'keras-sweep[dashboard]'") from None
    read_facts(folder)  # raises RecordError
    from keras_sweep.sweep.optuna_storage import open_read_only

    dashboard = optuna_dashboard.wsgi(open_read_only(folder.study))

    def guard(environ: dict[str, Any], start_response: Any) -> Any:
        host = str(environ.get("HTTP_HOST", "")).rpartition(":")[0] or str(environ.get("HTTP_HOST", ""))
        if host in NAMES and environ.get("REQUEST_METHOD") in LOOKING:
            return dashboard(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [REFUSED]

    try:
        return wsgi.make_server(HOST, port, guard, Server, _Quiet)
    except (OSError, OverflowError) as error:
        message = f"port {port} of {HOST} is not available: {getattr(error, 'strerror', None) or error}"
        raise UsageError(message, hint="Choose another port with `--port`. `--port 0` uses any free port") from error
