"""What the one-machine set-up prints once everything is up. The lines work as they are when pasted into a shell."""

import json

from deploy.local.options import HOST, Options

EXAMPLE_FILE_IDS = (70000, 70001, 70002)


def welcome(options: Options, redis_url: str) -> str:
    """Where to look, and a walk from POST to ZIP with curl; `redis_url` holds no secret."""
    address = f"http://{HOST}:{options.port}"
    body = json.dumps({"file_ids": EXAMPLE_FILE_IDS}, separators=(",", ":"))
    take_job_id = r"""sed -n 's/.*"job_id" *: *"\([^"]*\)".*/\1/p'"""
    log = "" if options.redis_url else f"   (embedded Valkey, its log: {options.valkey_dir}/valkey.log)"
    rate = (
        f"Bundles are slowed down to {options.copy_rate_bytes_per_second / 1_000_000:g} MB/s (RATE)."
        if options.copy_rate_bytes_per_second
        else "Start it as `make run RATE=5` to slow bundles down to 5 MB/s and see more of the way."
    )
    return f"""
Waybill is up: open {address} in a browser   (Ctrl-C stops everything)

  data      {options.home}
  files     {options.catalogue}
  redis     REDIS_URL={redis_url}{log}
  gateway   http://{HOST}:{options.admin_port}/readyz   /metrics
  processor http://{HOST}:{options.processor_admin_port}/readyz   /metrics

{rate}
What is going on: make operate   Jobs that failed for good: make dead-letters ARGS='list'
Paste this into a second terminal:

  JOBS={address}/v1/download/jobs
  JOB=$(curl -s $JOBS -H 'Content-Type: application/json' -d '{body}' | {take_job_id})
  curl -N $JOBS/$JOB/stream
  curl -s $JOBS/$JOB
  curl -N "$JOBS/$JOB/stream?last_event_id=0-0"
  curl -sf -o bundle.zip $JOBS/$JOB/file && python3 -m zipfile -l bundle.zip
"""
