"""Nouns, the job store, the object store and telemetry: what gateway and processor both need, and nothing else."""
