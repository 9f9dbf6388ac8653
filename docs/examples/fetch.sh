#!/bin/sh
# An archive with nothing but curl: sh fetch.sh 70000,70001
# Exits with 0 only when the file is here: with another code for a refused request, a failed job, or a lost stream.
set -eu
JOBS="${WAYBILL_URL:-http://127.0.0.1:8080}/v1/download/jobs"

JOB=$(curl -fsS "$JOBS" -H 'Content-Type: application/json' -d "{\"file_ids\":[$1]}" | sed 's/.*"job_id":"\([^"]*\)".*/\1/')

# The one line: the stream ends with the job, and only `completed` lets the archive be fetched.
curl -fsSN "$JOBS/$JOB/stream" | grep -q '^data: {"type":"completed"' && curl -fsSLOJ "$JOBS/$JOB/file"
