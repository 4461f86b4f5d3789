"""Who may ask, and for how much: every request passes here before anything looks at it.

On a shared machine every user reaches the loopback address, and every page of the web that is open in a browser can
send requests to it. So a request needs the token that was printed when the lab started (first in the address, from
then on in a cookie that no script reads and no other site sends), the Host that the lab was started under, and, where
it changes something, an Origin of its own.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from honshi import messages

# A photograph of a phone has less; a drawing has a few thousand.
MOST_BYTES = 10 << 20
MOST_QUERY = 4096

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Door:
    """Under which names the lab is reached, and what opens it.

    Attributes:
        hosts: each with its port, as a browser writes it.
        token: random.
        cookie: the cookie's name; one for each port, for cookies know no ports.
    """

    hosts: frozenset[str]
    token: str = field(repr=False)
    cookie: str

    def opened_by(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


class Guard:
    """Middleware that lets through what may come in, and nothing else."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # websockets: there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        response = self._refused(scope) or self._let_in(scope)
        if response is not None:
            response.headers.update(HEADERS)
            await response(scope, receive, send)
            return
        await self.app(scope, _bounded(receive), _with_headers(send))

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self.door.hosts:
            return _refusal(421, messages.Message("The lab does not go by this name: use the address that it printed."))
        if len(scope["query_string"]) > MOST_QUERY or len(scope["path"]) > MOST_QUERY:
            return _refusal(414, messages.Message("The address is too long."))
        if "\0" in scope["path"] or b"\0" in scope["query_string"]:
            return _refusal(400, messages.Message("There is nothing at this address."))
        if _from_elsewhere(headers, scope["method"], self.door.hosts):
            return _refusal(403, messages.Message("Another site may not ask the lab for anything."))
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return _refusal(400, messages.Message("The length of the request is not a number."))
        if int(length) > MOST_BYTES:
            return too_large()
        return None

    def _let_in(self, scope: Scope) -> Response | None:
        """None where it may come in; otherwise the cookie for the token in its address, or a refusal."""
        request = Request(scope)
        if self.door.opened_by(_cookie(Headers(scope=scope), self.door.cookie)):
            if "token" not in request.query_params or scope["method"] != "GET":
                return None
            return self._without_token(request)
        if scope["method"] == "GET" and self.door.opened_by(request.query_params.get("token", "")):
            response = self._without_token(request)
            response.set_cookie(
                self.door.cookie, self.door.token, httponly=True, samesite="strict", max_age=30 * 86400, path="/"
            )
            return response
        return _refusal(
            403, messages.Message("The lab opens by the address with the token, which it printed when it was started.")
        )

    def _without_token(self, request: Request) -> Response:
        rest = request.url.remove_query_params("token")
        # The path alone: wherever a crafted address would lead to, it is not another host.
        where = "/" + rest.path.lstrip("/\\") + (f"?{rest.query}" if rest.query else "")
        return RedirectResponse(where, status_code=303)


class TooLargeError(Exception):
    """A body went on for longer than it may."""


def _from_elsewhere(headers: Mapping[str, str], method: str, hosts: frozenset[str]) -> bool:
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in {f"http://{host}" for host in hosts}:
        return True
    site = headers.get("sec-fetch-site")
    # A link on another page may lead here, to a page to be looked at; nothing else comes from elsewhere.
    leads_here = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return site not in (None, "same-origin", "none") and not leads_here


def _cookie(headers: Mapping[str, str], name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def too_large() -> Response:
    """What is said to a request of which there is too much."""
    return _refusal(
        413, messages.Message("This is more than the {most} MB that the lab takes at once.", most=MOST_BYTES >> 20)
    )


def _refusal(status: int, said: messages.Message) -> Response:
    return PlainTextResponse(f"{said}\n", status, headers=HEADERS | {"Connection": "close"})


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise TooLargeError
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            added = [
                (name.lower().encode(), value.encode())
                for name, value in HEADERS.items()
                if name.lower().encode() not in given
            ]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return guarded
