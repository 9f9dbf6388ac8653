"""What a browser tells other sites of a URL with a ticket: nothing."""

from litestar.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (b"referrer-policy", b"no-referrer")


class WithoutReferrer:
    """An app in front of the app: each answer to a URL with a ticket, refusals and streams too, says no-referrer.

    The head alone passes through here when a stream is handed over, so that it costs its viewers nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if b"ticket=" not in scope["query_string"]:
            await self._app(scope, receive, send)
            return

        async def send_privately(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [header for header in message["headers"] if header[0].lower() != _POLICY[0]]
                message["headers"] = [*others, _POLICY]
            await send(message)

        await self._app(scope, receive, send_privately)
