"""Usage: python fetch.py 70000 70001

An archive by the Python library, which needs `pip install '.[client]'` in the checkout. WAYBILL_URL is the server, else
http://127.0.0.1:8080; WAYBILL_API_KEY the API key or token, where it asks for one.
"""

import os
import sys

from gateway.client import Waybill

URL = os.environ.get("WAYBILL_URL", "http://127.0.0.1:8080")

if len(sys.argv) < 2:
    sys.exit(__doc__)
with Waybill(URL, api_key=os.environ.get("WAYBILL_API_KEY")) as waybill:
    job = waybill.submit(map(int, sys.argv[1:]), archive_name="example")
    for message in job.events():
        print(message.type, message.body.get("progress", ""), file=sys.stderr)
    job.wait()  # raises JobUnsuccessful, with the reason, for a job that failed or was cancelled
    print(job.save(".", replaces=True))
