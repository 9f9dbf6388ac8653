"""List the files that a caller may bundle, where the operators allow it."""

from typing import Any

import msgspec
from litestar import HttpMethod, Request, Response, route

from gateway.auth.gate import Gate
from gateway.edge.address import insist_on_known
from gateway.files_request import read_files_request
from shared.errors import FilesNotListed
from shared.objects.catalogue import Catalogue


class FileView(msgspec.Struct, frozen=True):
    """A file as callers see it; its size is null where the catalogue does not say it."""

    file_id: int
    name: str
    size_bytes: int | None


class FilesView(msgspec.Struct, frozen=True):
    """The answer: files by id, and the cursor of the next page; null at the end."""

    files: list[FileView]
    next_cursor: str | None


@route("/v1/download/files", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_files(
    request: Request[Any, Any, Any], gate: Gate, catalogue: Catalogue, lists_files: bool
) -> Response[bytes]:
    """Show a page of the files that the caller may have, by id; with `?query=`, those with it in their name or id."""
    caller = await gate.admit(request)
    if not lists_files:
        raise FilesNotListed("The files are not listed here. Ask for ids that you know.")
    query = request.query_params
    insist_on_known(query, "query", "cursor", "limit")
    wanted = read_files_request(
        queries=query.getall("query", []), cursors=query.getall("cursor", []), limits_asked=query.getall("limit", [])
    )
    page = await catalogue.page(caller.owner, query=wanted.query, after=wanted.after, limit=wanted.limit)
    files = [FileView(file.file_id, file.name, file.size_bytes) for file in page.files]
    view = FilesView(files, None if page.next_after is None else str(page.next_after))
    body = msgspec.json.encode(view) + b"\n"
    headers = {"cache-control": "private, no-cache", "vary": "Accept, Authorization", "content-length": str(len(body))}
    content = b"" if request.method == HttpMethod.HEAD else body
    return Response(content, media_type="application/json", headers=headers)
