#!/bin/sh
# An archive with nothing but curl. Exits with 0 only when the file is here: with another code for a refused request, a
# failed job, or a lost stream.
set -eu
if [ $# -ne 1 ]; then
  echo "Usage: sh fetch.sh 70000,70001   (WAYBILL_URL: the server, else http://127.0.0.1:8080; WAYBILL_API_KEY)" >&2
  exit 2
fi
JOBS="${WAYBILL_URL:-http://127.0.0.1:8080}/v1/download/jobs"

# The key goes by stdin: everybody on a machine may read a process' arguments.
ask() { printf '%s' "${WAYBILL_API_KEY:+header = \"Authorization: Bearer $WAYBILL_API_KEY\"}" | curl -fsS -K - "$@"; }

JOB=$(ask "$JOBS" -H 'Content-Type: application/json' -d "{\"file_ids\":[$1]}" | sed 's/.*"job_id":"\([^"]*\)".*/\1/')
[ -n "$JOB" ]

# The one line: the stream ends with the job, and only `completed` lets the archive be fetched.
ask -N "$JOBS/$JOB/stream" | grep -q '^data: {"type":"completed"' && ask -LOJ "$JOBS/$JOB/file"
