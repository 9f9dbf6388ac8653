"""Tells by its exit code whether the program in this container is well: `healthcheck.py livez`, or `readyz`.

It asks the admin port on loopback, so it needs no curl in the image, and no address of its own.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

ANSWERS_WITHIN_SECONDS = 4.0


def is_well(path: str, port: int) -> bool:
    """Tell whether the admin port answers 200; says what it says otherwise, which `docker inspect` shows."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWERS_WITHIN_SECONDS)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        sys.stdout.write(answer.read().decode(errors="replace"))
        return answer.status == 200
    except (OSError, HTTPException) as problem:
        sys.stdout.write(f"the admin port {port} does not answer: {problem}\n")
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1], int(os.environ["WAYBILL_ADMIN_PORT"])) else 1)
