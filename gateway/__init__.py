"""The gateway: HTTP in front of the job store; it never runs a job."""
