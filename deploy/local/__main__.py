"""Runs the one-machine set-up, or a command on it, from the repository's root.

python -m deploy.local                      make run
python -m deploy.local backlog              make operate ARGS='backlog'
python -m deploy.local dead-letters list    make dead-letters ARGS='list'
python -m deploy.local keys list            make keys ARGS='list'
"""

import os
import sys

from deploy.local.command import run_command
from deploy.local.supervise import run

arguments = sys.argv[1:]
sys.exit(run_command(arguments, os.environ) if arguments else run(os.environ))
