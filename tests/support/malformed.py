"""Requests that nobody should send, drawn from a seed: each must be answered with a 4xx, and none may create anything.

Their kinds are the places where a caller can be wrong: heads, addresses, methods, bodies, encodings, credentials, and
cursors. Whoever has a key reaches what lies behind the gate; the credentials are then right, and the rest is not.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

JOBS = "/v1/download/jobs"
JSON = "Content-Type: application/json"


class Malformed(NamedTuple):
    """The bytes of one request; `is_whole`: it ends where its head says so, and another may come behind it."""

    kind: str
    request: bytes
    is_whole: bool = True


class Drawer:
    """Draws them; `api_key` is a good one, `job` the path of a job of its owner's, `file_id` a file they may have."""

    def __init__(self, seed: int, *, api_key: str, job: str, file_id: int) -> None:
        self._random = random.Random(seed)
        self._bearer = f"Authorization: Bearer {api_key}"
        self._api_key = api_key
        self._job = job
        self._file_id = file_id

    def draw(self, count: int) -> Iterator[Malformed]:
        """Give so many, of all kinds in turn."""
        kinds: list[Callable[[], Malformed]] = [
            self._head, self._address, self._method, self._body, self._encoding, self._credential, self._cursor,
            self._idempotency_key, self._unknown_job,
        ]  # fmt: skip
        for turn in range(count):
            yield kinds[turn % len(kinds)]()

    # ── kinds ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _head(self) -> Malformed:
        host = "Host: localhost"
        wrong = self._random.choice(
            [
                f"GET {JOBS} HTTP/1.1\r\n\r\n",
                f"GET {JOBS} HTTP/1.1\r\n{host}\r\n{host}\r\n\r\n",
                f"GET {JOBS} HTTP/{self._random.randint(3, 9)}.{self._random.randint(2, 9)}\r\n{host}\r\n\r\n",
                f"{self._noise(8)} {JOBS} HTTP/1.1\r\n{host}\r\n\r\n",
                f"GET{JOBS} HTTP/1.1\r\n{host}\r\n\r\n",
                f"GET {JOBS} HTTP/1.1\r\n{host}\r\nno colon\r\n\r\n",
                f"GET {JOBS} HTTP/1.1\r\n{host}\r\nX y: z\r\n\r\n",
                f"GET {JOBS} HTTP/1.1\r\n{host}\r\nX: a\0b\r\n\r\n",
                f"POST {JOBS} HTTP/1.1\r\n{host}\r\nContent-Length: {self._noise(2)}\r\n\r\n",
                f"POST {JOBS} HTTP/1.1\r\n{host}\r\nContent-Length: -1\r\n\r\n",
                f"POST {JOBS} HTTP/1.1\r\n{host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                f"POST {JOBS} HTTP/1.1\r\n{host}\r\nTransfer-Encoding: chunked\r\n\r\n{self._noise(3)}\r\n",
                f"POST {JOBS} HTTP/1.1\r\n{host}\r\nTransfer-Encoding: {self._noise(5)}\r\n\r\n",
                f"POST {JOBS} HTTP/1.1\r\n{host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                f"GET /{'a' * self._random.randint(8_200, 12_000)} HTTP/1.1\r\n{host}\r\n\r\n",
                f"GET {JOBS} HTTP/1.1\r\n{host}\r\nCookie: {'c' * 33_000}\r\n\r\n",
            ]
        )
        return Malformed("head", wrong.encode("latin-1"), is_whole=False)

    def _address(self) -> Malformed:
        path = self._random.choice(
            [
                f"/{self._noise(self._random.randint(1, 40))}",
                f"/%{self._random.choice('gz%&')}{self._noise(2)}",
                f"{JOBS}/%{self._random.randint(0x80, 0xFF):X}",
                f"{JOBS}/..%2f..%2f{self._noise(4)}",
                f"{JOBS}/%00{self._noise(3)}",
                f"{JOBS}?limit=%ff",
                f"/v{self._random.randint(2, 99)}/download/jobs",
                f"{JOBS}/{self._noise(6)}/{self._noise(6)}",
            ]
        )
        return Malformed("address", self._request("GET", path))

    def _method(self) -> Malformed:
        method = self._random.choice(["PUT", "PATCH", "TRACE", "PROPFIND", "LINK", "MKCOL", "SEARCH", "PURGE"])
        below = self._random.choice(["", "/stream", "/events", "/file", "/cancel"])
        return Malformed("method", self._request(method, self._job + below))

    def _body(self) -> Malformed:
        good = json.dumps({"file_ids": [self._file_id]}).encode()
        wrong: bytes = self._random.choice(
            [
                good[: self._random.randint(0, len(good) - 1)],
                good + self._random.choice([b"}", b"{}", b",", b"\0"]),
                b'{"file_ids":[%d],"file_ids":[%d]}' % (self._file_id, self._file_id),
                json.dumps({"file_ids": self._wrong_ids()}).encode(),
                json.dumps({"file_ids": [self._file_id], self._noise(5): 1}).encode(),
                json.dumps(
                    {"file_ids": [self._file_id], "archive_name": self._random.choice(["", 1, [], "n" * 200])}
                ).encode(),
                json.dumps({"file_ids": [self._file_id], "on_missing": self._noise(4)}).encode(),
                b"[" * self._random.randint(1_000, 30_000),
                b'{"a":' * self._random.randint(1_000, 8_000) + b"1",
                b'{"file_ids":[NaN]}',
                b'{"file_ids":[%d],"archive_name":"\\ud8%02x"}' % (self._file_id, self._random.randint(0, 255)),
                self._random.randbytes(self._random.randint(1, 300)) + b"\xff",
                good.decode().encode("utf-16"),
            ]
        )
        return Malformed("body", self._request("POST", JOBS, JSON, body=wrong))

    def _encoding(self) -> Malformed:
        good = json.dumps({"file_ids": [self._file_id]}).encode()
        line = self._random.choice(
            [
                "Content-Type: text/plain",
                "Content-Type: multipart/form-data; boundary=x",
                f"Content-Type: application/json; charset={self._noise(5)}",
                f"{JSON}\r\nContent-Encoding: {self._random.choice(['gzip', 'br', 'zstd', 'x'])}",
                "X-None: 1",
            ]
        )
        if self._random.random() < 0.1:
            announced = self._request("POST", JOBS, JSON, "Content-Length: 99999999")
            return Malformed("encoding", announced, is_whole=False)
        return Malformed("encoding", self._request("POST", JOBS, line, body=good))

    def _credential(self) -> Malformed:
        head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        claims = base64.urlsafe_b64encode(json.dumps({"sub": "anna", "exp": 4e9}).encode()).decode().rstrip("=")
        wrong = self._random.choice(
            [
                "",
                "Bearer",
                f"Bearer {self._api_key[:-1]}{'0' if self._api_key[-1] != '0' else '1'}",
                f"Bearer {self._api_key[: self._random.randint(1, 80)]}",
                f"Basic {self._api_key}",
                f"Bearer {head}.{claims}.",
                f"Bearer {head}.{claims}.{self._noise(40)}",
                f"Bearer {'x' * self._random.randint(8_000, 20_000)}",
                f"Bearer wb_{self._random.getrandbits(64):016x}_{self._random.getrandbits(256):064x}",
                f"Bearer {self._api_key} {self._api_key}",
            ]
        )
        method, path = self._random.choice([("GET", JOBS), ("GET", self._job), ("DELETE", self._job), ("POST", JOBS)])
        lines = [f"Authorization: {wrong}"] if wrong else []
        return Malformed("credential", self._request(method, path, *lines, has_key=False))

    def _cursor(self) -> Malformed:
        text = self._random.choice(
            ["x", "0-0-0", "-1", "1-", "%00", "9" * 40, "(0-1", f"{self._noise(5)}!", "0-1%20", "%F0%9F%92%A5", "null"]
        )
        path = self._random.choice(
            [
                f"{self._job}/events?after={text}",
                f"{self._job}/events?limit={text}",
                f"{self._job}/events?after=0-0&after={text}",
                f"{self._job}/stream?last_event_id=0-0&last_event_id={text}",
                f"{JOBS}?cursor={text}",
                f"{JOBS}?limit={text}",
                f"{JOBS}?status={text}",
                f"{JOBS}?limit=1&limit=1",
            ]
        )
        return Malformed("cursor", self._request("GET", path))

    def _idempotency_key(self) -> Malformed:
        body = json.dumps({"file_ids": [self._file_id]}).encode()
        wrong = self._random.choice(['"', '""', "a b", '"k";q=1', "k" * 300, "schl\xfcssel", f'"{self._noise(4)}'])
        lines = [JSON, f"Idempotency-Key: {wrong}"]
        if self._random.random() < 0.3:
            lines = [JSON, "Idempotency-Key: k", "Idempotency-Key: k"]
        return Malformed("idempotency key", self._request("POST", JOBS, *lines, body=body))

    def _unknown_job(self) -> Malformed:
        job_id = self._random.choice(
            [f"{self._random.getrandbits(32):08x}-0000-8000-8000-{self._random.getrandbits(48):012x}", self._noise(36)]
        )
        method, below = self._random.choice(
            [("GET", ""), ("GET", "/stream"), ("GET", "/events"), ("GET", "/file"), ("POST", "/cancel"), ("DELETE", "")]
        )
        return Malformed("unknown job", self._request(method, f"{JOBS}/{job_id}{below}"))

    # ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _request(self, method: str, path: str, *lines: str, body: bytes = b"", has_key: bool = True) -> bytes:
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *([self._bearer] if has_key else []), *lines]
        if body or (method == "POST" and not any(line.startswith("Content-Length") for line in lines)):
            head.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*head, "", ""]).encode("latin-1") + body

    def _wrong_ids(self) -> object:
        wrong: object = self._random.choice(
            [
                [],
                [0],
                [-1],
                [2**53],
                [1.5],
                ["1"],
                [None],
                None,
                {},
                "1",
                [[1]],
                [self._file_id] * 2,
                [self._random.randint(1, 9)],
            ]
        )
        return wrong

    def _noise(self, length_chars: int) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz-_~", k=length_chars))
