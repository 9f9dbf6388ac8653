"""Refuses a run that would collide with another one: on the same home, or on a port in use."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import LocalSetupError
from deploy.local.options import HOST, Options


@contextmanager
def claimed_home(home: Path) -> Iterator[int]:
    """Holds `home` for this run, making it when needed; gives the file descriptor that carries the lock.

    A child that keeps the descriptor open keeps the lock too. Raises LocalSetupError when another run has it.
    """
    try:
        # Its owner's alone: the Valkey inside has no password, and the bundles may be private.
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_fd = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise LocalSetupError(
            f"{home} cannot be used: {problem.strerror}. WAYBILL_HOME=… chooses another place."
        ) from problem
    try:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock_fd, 32, 0).decode(errors="replace").strip() or "unknown"
            raise LocalSetupError(in_use_message(home, holder, is_alive=_is_alive(holder))) from None
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)
        yield lock_fd
    finally:
        os.close(lock_fd)


def in_use_message(home: Path, holder: str, *, is_alive: bool) -> str:
    """What to tell about a home whose lock is held; `holder` is the process id in its lock file."""
    if is_alive:
        return (
            f"{home} is in use by another run (process {holder}). Stop that one, or choose another home: "
            "make run WAYBILL_HOME=… PORT=… ADMIN_PORT=…"
        )
    return f"{home} is still in use by what is left of an earlier run (process {holder}). Try again in a few seconds."


def _is_alive(holder: str) -> bool:
    try:
        os.kill(int(holder), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def refuse_taken_ports(options: Options) -> None:
    """Raises LocalSetupError for the first port in use, with the variable that moves it."""
    for port, variable in (
        (options.port, "PORT"),
        (options.admin_port, "ADMIN_PORT"),
        (options.processor_admin_port, "ADMIN_PORT"),
    ):
        problem = _bind_problem(port)
        if problem == errno.EADDRINUSE:
            needs = "" if port != options.processor_admin_port else " (the processor takes the port after ADMIN_PORT)"
            raise LocalSetupError(
                f"Port {port} is already in use on {HOST}{needs}. Choose another one: make run {variable}=…"
            )
        if problem:
            why = os.strerror(problem)
            raise LocalSetupError(f"Port {port} cannot be used on {HOST}: {why}. Choose another: make run {variable}=…")


def _bind_problem(port: int) -> int:
    with socket.socket() as probe:
        # As servers do; without it the connections of a run that just ended would count as in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as problem:
            return problem.errno or errno.EINVAL
        return 0
