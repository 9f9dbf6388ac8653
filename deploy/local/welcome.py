"""What the one-machine set-up prints once everything is up. The lines work as they are when pasted into a shell."""

import json
import shlex

from deploy.local.options import DEFAULT_PORT, HOST, Options

EXAMPLE_FILE_IDS = (70000, 70001, 70002)


def welcome(options: Options, redis_url: str) -> str:
    """Where to look, and a walk from POST to ZIP with curl; `redis_url` holds no secret."""
    address = address_of(options)
    make = f"make WAYBILL_HOME={shlex.quote(options.home_given)}" if options.home_given else "make"
    header = ' -H "Authorization: Bearer $WAYBILL_API_KEY"' if options.asks_who_calls else ""
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
What is going on: {make} operate   Jobs that failed for good: {make} dead-letters ARGS='list'
Paste this into a second terminal, in this directory:

{"".join(f"  {line}{chr(10)}" for line in told_before(options, make))}\
  JOBS={address}/v1/download/jobs
  JOB=$(curl -s $JOBS{header} -H 'Content-Type: application/json' -d '{body}' | {take_job_id})
  curl -N{header} $JOBS/$JOB/stream
  curl -s{header} $JOBS/$JOB
  curl -N{header} "$JOBS/$JOB/stream?last_event_id=0-0"
  curl -sf{header} -o bundle.zip $JOBS/$JOB/file && python3 -m zipfile -l bundle.zip
  .venv/bin/waybill get 70000 70001   # all of that in one command
"""


def address_of(options: Options) -> str:
    """Where the gateway of this run listens."""
    return f"http://{HOST}:{options.port}"


def told_before(options: Options, make: str) -> list[str]:
    """What the shell must know before it calls: who calls, and where `waybill` finds this run if it is elsewhere."""
    lines = []
    if options.port != DEFAULT_PORT:
        lines.append(f"export WAYBILL_URL={address_of(options)}")
    if options.takes_keys and options.redis_url is None:
        lines.append(f"export WAYBILL_API_KEY=$({make} -s keys ARGS='create --owner anna')")
    elif options.takes_keys:  # make keys changes nothing on a Redis that is not its own
        lines.append(
            "export WAYBILL_API_KEY=$(.venv/bin/python -m gateway keys create --owner anna)   # of this REDIS_URL"
        )
    elif options.asks_who_calls:
        lines.append("export WAYBILL_API_KEY=…   # a token of your issuer")
    return lines
