"""A receiver of callbacks: python receive.py 8000. Needs `pip install standardwebhooks`, and WAYBILL_CALLBACK_SECRET.

It answers 204 once it has noted what was told, so that it is told again if it could not; and notes nothing twice.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

MAX_BODY_BYTES = 1024 * 1024

secret = Webhook(os.environ["WAYBILL_CALLBACK_SECRET"])
seen: set[str] = set()  # in a service: a table with the webhook-id as its key, kept for a week


class Receiver(BaseHTTPRequestHandler):
    """Takes what is signed with our secret, and refuses all else."""

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MAX_BODY_BYTES))
        try:
            message = secret.verify(body, {name.lower(): text for name, text in self.headers.items()})
        except WebhookVerificationError:
            return self.answer(401)
        if self.headers["webhook-id"] not in seen:
            job = message["data"]
            # A test of the operators (download.test) tells of no job.
            print(message["type"], job.get("job_id", "-"), job.get("download_url") or "-", flush=True)
            seen.add(self.headers["webhook-id"])
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
