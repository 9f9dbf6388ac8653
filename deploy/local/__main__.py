"""Runs the one-machine set-up: `python -m deploy.local` from the repository's root."""

import os
import sys

from deploy.local.supervise import run

sys.exit(run(os.environ))
