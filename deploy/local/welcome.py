"""What the one-machine set-up prints once everything is up. The lines work as they are when pasted into a shell."""

import json

from deploy.local.options import HOST, Options

EXAMPLE_FILE_IDS = (70000, 70001, 70002)


def welcome(options: Options) -> str:
    """Where to look, and a walk from POST to ZIP with curl."""
    address = f"http://{HOST}:{options.port}"
    body = json.dumps({"file_ids": EXAMPLE_FILE_IDS}, separators=(",", ":"))
    take_job_id = r"""sed -n 's/.*"job_id" *: *"\([^"]*\)".*/\1/p'"""
    redis = "REDIS_URL's server" if options.redis_url else f"embedded Valkey, its log: {options.valkey_dir}/valkey.log"
    rate = (
        f"Bundles are slowed down to {options.copy_rate_bytes_per_second / 1_000_000:g} MB/s (RATE)."
        if options.copy_rate_bytes_per_second
        else "Start it as `make run RATE=5` to slow bundles down to 5 MB/s and see more of the way."
    )
    return f"""
Waybill is up: {address}   (Ctrl-C stops everything)

  data      {options.home}
  files     {options.catalogue}
  redis     {redis}
  gateway   http://{HOST}:{options.admin_port}/readyz   /metrics
  processor http://{HOST}:{options.processor_admin_port}/readyz   /metrics

{rate}
Paste this into a second terminal:

  JOBS={address}/v1/download/jobs
  JOB=$(curl -s $JOBS -H 'Content-Type: application/json' -d '{body}' | {take_job_id})
  curl -N $JOBS/$JOB/stream
  curl -s $JOBS/$JOB; echo
  curl -N "$JOBS/$JOB/stream?last_event_id=0-0"
  curl -sf -o bundle.zip $JOBS/$JOB/file && python3 -m zipfile -l bundle.zip
"""
