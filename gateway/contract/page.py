"""The reference as a page for browsers: one HTML document that loads nothing, runs nothing, and fits every screen."""

import base64
import hashlib
import itertools
import posixpath
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from gateway.contract.reference import reference_text, slug

TITLE = "Waybill: the API"


class Page(NamedTuple):
    """An HTML document, and the policy that lets a browser apply its own style and nothing else (CSP Level 3)."""

    html: bytes
    security_policy: str


class _Section(NamedTuple):
    anchor: str
    title: str


def reference_as_html(release: str) -> Page:
    """Make the page of a release."""
    style = files("gateway.contract").joinpath("page.css").read_text(encoding="utf-8")
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(reference_text())
    sections = list(_anchor(tokens))
    _unlink_other_pages(tokens)
    contents = "".join(f'<li><a href="#{anchor}">{escape(title)}</a></li>' for anchor, title in sections)
    html = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{TITLE}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>\n<h1>{TITLE}</h1>\n'
        f'<p class="release">Release {escape(release)} · <a href="openapi.json">OpenAPI 3.1 document</a></p>\n'
        f"{markdown.renderer.render(tokens, markdown.options, {})}</main>\n</body>\n</html>\n"
    )
    return Page(html.encode(), _policy_for(style))


def _policy_for(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _anchor(tokens: list[Token]) -> Iterator[_Section]:
    """Give each heading its anchor; yield those of the second level, for the contents."""
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", slug(inline.content))
            if opening.tag == "h2":
                yield _Section(slug(inline.content), inline.content)


def _unlink_other_pages(tokens: list[Token]) -> None:
    """Leave of a link to another page of ours its words, and where to look: a gateway serves this page alone."""
    for token in (child for each in tokens for child in each.children or ()):
        if token.type == "link_open" and not str(token.attrGet("href")).startswith("#"):
            token.attrSet("title", posixpath.normpath(f"docs/{token.attrs.pop('href')}"))
            token.tag = "span"
            token.meta["is_elsewhere"] = True
    for each in tokens:
        _close_as_opened(each.children or [])


def _close_as_opened(children: list[Token]) -> None:
    is_elsewhere = False
    for token in children:
        if token.type == "link_open":
            is_elsewhere = "is_elsewhere" in token.meta
        elif token.type == "link_close" and is_elsewhere:
            token.tag = "span"
