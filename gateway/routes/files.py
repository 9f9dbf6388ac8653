"""Fetch a finished archive: whole, in ranges, conditionally; or from the store itself, where it can be reached."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import structlog
from litestar import HttpMethod, Request, Response, route
from litestar.types import ASGIApp, Receive, Scope, Send

from gateway.access import find_job
from gateway.auth.gate import Gate
from gateway.conditional import Span, Whole, fails_if_match, matches_weakly, range_of
from gateway.content_disposition import attachment
from gateway.injected import AnyStore
from gateway.metrics import GatewayMetrics
from gateway.problems import problem
from shared.clock import now_ms
from shared.errors import JobFailed, JobGone, JobNotReady, ObjectMissing
from shared.jobs import JobRecord, JobState
from shared.jobstore.store import JobStore
from shared.objects.info import ObjectInfo
from shared.objects.store import ObjectStore

log = structlog.get_logger(__name__)

ZIP = "application/zip"


class ArchiveBody:
    """An ASGI app that sends the bytes of a span of an object, or only their head."""

    def __init__(
        self,
        objects: ObjectStore,
        info: ObjectInfo,
        span: Span,
        *,
        count_sent: Callable[[int], None],
        status: int,
        headers: dict[str, str],
        has_body: bool,
    ) -> None:
        self._objects = objects
        self._count_sent = count_sent
        self._info = info
        self._span = span
        self._status = status
        self._has_body = has_body
        self._headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer (ASGI 3)."""
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        start, end = self._span
        if self._has_body and start < end:
            chunks = self._objects.read(
                self._info.key, etag=self._info.etag, start_byte=start, length_bytes=end - start
            )
            leaving = asyncio.create_task(_until_left(receive), name="download-watch")
            try:
                async with aclosing(chunks):
                    async for chunk in chunks:
                        if leaving.done():  # uvicorn swallows what is sent to nobody
                            return
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        self._count_sent(len(chunk))
            finally:
                leaving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@route("/v1/download/jobs/{job_id:str}/file", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def fetch_archive(
    request: Request[Any, Any, Any],
    gate: Gate,
    store: JobStore,
    objects: AnyStore,
    metrics: GatewayMetrics,
    job_id: str,
) -> ASGIApp:
    """Send a job's archive, or where it is: 200, 206, 304, 307, 412 or 416; 409 while there is none, 410 once gone."""
    caller = await gate.admit_reader(request)
    record = await find_job(store, caller, job_id)
    key = _archive_key(record)
    disposition = attachment(record.options.archive_name or f"waybill-{job_id[:8]}")
    url = await objects.link(
        key, content_disposition=disposition, content_type=ZIP, longest_seconds=_left_seconds(record)
    )
    if url is not None:
        if request.method != HttpMethod.HEAD:
            log.info("archive sent", job_id=job_id, by="link", **caller.audit())
        return _point_to(url, record, disposition, request).to_asgi_response(None, request)
    info = await _find_archive(key, objects)
    etag = f'"{info.etag}"'
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
    }
    if fails_if_match(request.headers.get("if-match"), etag):
        detail = "The archive is another one than If-Match names. Fetch it from its beginning."
        return problem(412, "ARCHIVE_CHANGED", detail, headers=headers).to_asgi_response(None, request)
    if matches_weakly(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers).to_asgi_response(None, request)

    span = range_of(request.headers.get("range"), request.headers.get("if-range"), etag, info.size_bytes)
    if span is Whole.UNSATISFIABLE:
        headers["content-range"] = f"bytes */{info.size_bytes}"
        detail = f"The archive has {info.size_bytes:,} bytes; the range asks for others."
        return problem(416, "RANGE_NOT_SATISFIABLE", detail, headers=headers).to_asgi_response(None, request)
    headers |= {
        "content-type": ZIP,
        "content-disposition": disposition,
    }
    if isinstance(span, Span):
        headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{info.size_bytes}"
        headers["content-length"] = str(span.end - span.start)
    else:
        span = Span(0, info.size_bytes)
        headers["content-length"] = str(info.size_bytes)
    status = 206 if "content-range" in headers else 200
    has_body = request.method != HttpMethod.HEAD
    if has_body:
        log.info("archive sent", job_id=job_id, by="gateway", first_byte=span.start, **caller.audit())
    return ArchiveBody(
        objects, info, span, count_sent=metrics.count_sent, status=status, headers=headers, has_body=has_body
    )


def _archive_key(record: JobRecord) -> str:
    if not record.state.is_terminal:
        raise JobNotReady("The archive is not ready yet. Follow the job's stream, or ask again in a few seconds.")
    if record.state is not JobState.COMPLETED or record.object_key is None:
        raise JobFailed("The job ended without an archive. Its record says why, and whether trying again may help.")
    return record.object_key


def _left_seconds(record: JobRecord) -> int:
    """Give how long the archive will still be there: no link shall outlive it."""
    return max(1, ((record.expires_at_ms or 0) - now_ms()) // 1000)


def _point_to(url: str, record: JobRecord, disposition: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Send the caller to the store; the archive's head is answered from the record, without asking the store.

    The URL is a key to the archive: it must stay in no cache, and in no Referer header. Whether the archive is still
    there only the store knows, and says so with a 404 of its own.
    """
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    if request.method != HttpMethod.HEAD:
        return Response(b"", status_code=307, headers=headers | {"location": url})
    headers |= {"accept-ranges": "bytes", "content-type": ZIP, "content-disposition": disposition}
    if record.bundle is not None:
        headers["content-length"] = str(record.bundle.archive_bytes)
    return Response(b"", status_code=200, headers=headers)


async def _find_archive(key: str, objects: ObjectStore) -> ObjectInfo:
    try:
        return await objects.head(key)
    except ObjectMissing:
        raise JobGone("The archive is not in the object store any more. Create the job again.") from None


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
