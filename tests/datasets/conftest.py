import gc
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Return a function that gives SKNN_DATA, or skips the test where a path is not in it."""

    def require(path: str) -> Path:
        home = os.environ.get("SKNN_DATA")
        if not home:
            pytest.skip("needs the real data: set SKNN_DATA to the folder that has them")
        if not Path(home, path).exists():
            pytest.skip(f"needs {path} in SKNN_DATA")
        return Path(home)

    return require


class Publisher:
    """A web server on this machine that offers the files in `folder`.

    `user_agents` has the name that each client so far has given itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user_agents: list[str | None] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def n_requests(self) -> int:
        return len(self.user_agents)

    def _make_handler(self) -> Callable[..., SimpleHTTPRequestHandler]:
        user_agents = self.user_agents

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                user_agents.append(self.headers["User-Agent"])
                super().do_GET()

            def log_message(self, *args: object) -> None:
                pass

        return partial(Handler, directory=str(self.folder))


@pytest.fixture
def publisher(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    publisher = Publisher(tmp_path_factory.mktemp("publisher"))
    server = publisher.server
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield publisher
    server.shutdown()
    thread.join()
    server.server_close()
    # The downloader leaves the connection of a failed request to the garbage collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
