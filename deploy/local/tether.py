"""Runs a command that is told to end when its parent dies: `tether.py <parent pid> <command> …`.

A supervisor that is killed with SIGKILL cannot stop its children, and they would hold their ports and the data
directory for ever. Linux sends a signal of our choice in that case (prctl(2), PR_SET_PDEATHSIG), but the process must
ask for it itself. Asking here, in a small process that then becomes the command, is safe in a parent with threads;
subprocess' preexec_fn is not. Elsewhere than on Linux this only runs the command.

The signal comes when the *thread* that started the process ends: start it from a thread that lives as long.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` tethered to the calling process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    """Becomes the command given on the command line, with the same process id."""
    parent_pid, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # A parent that died before the call above is not noticed by it.
        if os.getppid() != parent_pid:
            sys.exit(1)
    try:
        os.execv(command[0], command)
    except OSError as problem:
        sys.exit(f"cannot run {command[0]}: {problem.strerror}")


if __name__ == "__main__":
    main()
