"""An archive by the Python library: python fetch.py 70000 70001. Needs `pip install '.[client]'` in the checkout."""

import os
import sys

from gateway.client import Waybill

with Waybill(
    os.environ.get("WAYBILL_URL", "http://127.0.0.1:8080"), api_key=os.environ.get("WAYBILL_API_KEY")
) as waybill:
    job = waybill.submit(map(int, sys.argv[1:]), archive_name="example")
    for message in job.events():
        print(message.type, message.body.get("progress", ""), file=sys.stderr)
    job.wait()  # raises JobUnsuccessful, with the reason, for a job that failed or was cancelled
    print(job.save(".", replaces=True))
