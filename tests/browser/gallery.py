"""The page over a client in whose list a job of each state stands still (gateway/web/test/gallery), at an address."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from litestar import Litestar, get
from litestar.di import Provide

from deploy.local.samples import SAMPLES
from gateway.page_files import PageFiles
from gateway.routes.page import show_asset, show_icon, show_page
from shared.listener import listen
from tests.support.waiting import until


@get("/v1/download/files", sync_to_thread=False)
def list_samples() -> dict[str, object]:
    """Offer the sample files."""
    files = [{"file_id": file.file_id, "name": file.name, "size_bytes": file.size_bytes} for file in SAMPLES]
    return {"files": files, "next_cursor": "more"}


@contextlib.contextmanager
def gallery(directory: Path) -> Iterator[str]:
    """Serve it by the gateway's own routes, and so under its policy; give the address."""
    files = PageFiles(directory)
    app = Litestar(
        [show_page, show_icon, show_asset, list_samples],
        dependencies={"page_files": Provide(lambda: files, sync_to_thread=False)},
        openapi_config=None,
    )
    listener = listen("127.0.0.1", 0, port_variable="PORT")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
    thread.start()
    try:
        until(lambda: server.started, "the gallery is served")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
