"""What operators ask of a running system: `python -m processor COMMAND …`. Each needs Redis, and nothing else."""
