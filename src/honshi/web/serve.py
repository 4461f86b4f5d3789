"""Starting the lab and ending it."""

from __future__ import annotations

import asyncio
import secrets
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from honshi.errors import RequestError, WriteError
from honshi.files import explain, home, make_folder, read_bounded
from honshi.messages import Message
from honshi.runs.folder import RUNS
from honshi.web.app import make_app
from honshi.web.child import Child
from honshi.web.guard import Door
from honshi.web.lab import Lab
from honshi.web.watch import Watch

# The port of the first lab on a machine; the next ones are tried where it is taken.
PORT, TRIED = 8117, 20
LOOPBACK = "127.0.0.1"
# A request is to be here whole after so many seconds, or so many bytes of it have come since.
PATIENCE, ENOUGH = 4.0, 1 << 18
MOST_TOKEN_BYTES = 256


def serve(
    *,
    port: int | None = None,
    host: str = LOOPBACK,
    browser: bool = True,
    folder: Path = RUNS,
    tell: Callable[[str], None],
) -> None:
    """Serve the lab until Ctrl-C.

    Args:
        port: to listen at; the first free one from 8117 on, if left out.
        host: the address to listen at.
        browser: whether to open it in one.
        folder: the runs.
        tell: called with the address, once the lab answers at it.

    Raises:
        RequestError: nothing can listen at that address.
        WriteError: the token cannot be kept.
    """
    # One image is computed in less time than threads take to begin together, above all beside a training.
    quick, slow = Child(threads=1), Child()
    quick.start()  # loads torch while everything else gets ready
    try:
        with _listening(host, port) as listener:
            bound = listener.getsockname()[1]
            door = _door(host, bound)
            watch = Watch(folder)
            watch.changes()
            app = make_app(Lab(watch, quick, slow), door)
            address = f"http://{_shown(host)}:{bound}/?token={quote(door.token)}"

            def ready() -> None:
                tell(address)
                if browser:
                    with suppress(webbrowser.Error):
                        webbrowser.open(address)

            config = uvicorn.Config(
                app,
                http=Patient,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
            _Server(config, watch, ready).run(sockets=[listener])
    finally:
        quick.stop()
        slow.stop()


class Patient(H11Protocol):
    """HTTP, but for senders that never come to an end: they keep nobody waiting for more than a few seconds."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since_enough = 0
        self._waiting: asyncio.TimerHandle | None = None
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._since_enough += len(data)
        whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        if whole or self._since_enough >= ENOUGH:
            self._stop_waiting()
        if not whole and self._waiting is None:
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(PATIENCE, self._close)

    def _stop_waiting(self) -> None:
        self._since_enough = 0
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Says when it answers, and sends the open pages home when it ends."""

    def __init__(self, config: uvicorn.Config, watch: Watch, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._watch = watch
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._watch.close()
        super().handle_exit(sig, frame)


def _listening(host: str, port: int | None) -> socket.socket:
    ports = [port] if port is not None else [*range(PORT, PORT + TRIED), 0]
    problem: OSError | None = None
    for number in ports:
        try:
            return socket.create_server((host, number), family=_family(host), backlog=512)
        except (OSError, OverflowError) as error:
            problem = error if isinstance(error, OSError) else OSError(str(error))
    raise RequestError(
        "The lab cannot listen at {host}, port {port}: {problem}. Choose another with --port.",
        host=host,
        port=ports[0],
        problem=(problem.strerror or str(problem)) if problem is not None else "?",
    )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _door(host: str, port: int) -> Door:
    names = {LOOPBACK, "localhost", "[::1]", _shown(host)}
    if host in ("0.0.0.0", "::"):  # asked for by the user
        names |= {name.lower() for name in (socket.gethostname(), socket.getfqdn())}
        with suppress(OSError):
            names |= {_shown(str(about[4][0])) for about in socket.getaddrinfo(socket.gethostname(), None)}
    return Door(frozenset(f"{name}:{port}" for name in names), _token(), f"honshi-{port}")


def _token() -> str:
    """Kept for this user, so that an open page is let in again by a lab that was started anew.

    Raises:
        WriteError: it cannot be kept.
    """
    path = home() / "lab" / "token"
    with suppress(OSError, UnicodeDecodeError):
        known = read_bounded(path, MOST_TOKEN_BYTES).decode("ascii").strip()
        if len(known) >= 32 and path.stat().st_mode & 0o077 == 0:
            return known
    token = secrets.token_urlsafe(32)
    make_folder(path.parent)
    try:
        # Readable by this user alone from its first moment.
        path.unlink(missing_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(token, "ascii")
    except OSError as error:
        raise WriteError("{problem}", error, problem=explain(error)) from error
    return token


def said(address: str) -> Message:
    """Where the lab is, in a line."""
    return Message("The lab is at {address}  (Ctrl-C ends it)", address=address)
