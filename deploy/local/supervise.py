"""Starts the embedded Valkey, a processor and a gateway, follows them, and stops them in the opposite order.

    claim home, ports ─▶ samples ─▶ Valkey ─▶ processor, gateway ─▶ both ready ─▶ follow ─┬─ signal: stop, exit code 0
                   └──▶ the page's build, on the side: nobody waits, and it may fail     └─ one ended: stop, exit code 1

The gateway goes first, so that nobody is promised work any more, and Valkey last, so that the processor can still give
its jobs back. Every child has a session of its own: a terminal's Ctrl-C reaches this process alone, which keeps the
order.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from deploy.local.claims import claimed_home, refuse_taken_ports
from deploy.local.errors import LocalSetupError
from deploy.local.options import HOST, Options, gateway_settings, processor_settings, read_options
from deploy.local.samples import ensure_samples
from deploy.local.tether import tethered
from deploy.local.ticket_secret import VARIABLE, kept_ticket_secret
from deploy.local.valkey import EmbeddedValkey
from deploy.local.welcome import welcome
from shared.setting import without_passwords

READY_DEADLINE_SECONDS = 30.0
READY_CALL_TIMEOUT_SECONDS = 2.0
# Longer than the processes' own drain bounds, so that a kill means that something hangs.
STOP_DEADLINE_SECONDS = 20.0
POLL_INTERVAL_SECONDS = 0.1
SHOWN_REASON_CHARACTERS = 500

Processes = Mapping[str, "subprocess.Popen[bytes]"]


class StopRequest:
    """Remembers that SIGINT, SIGTERM or SIGHUP arrived.

    It raises nothing, so a signal can never come between the start of a child and the note that it must be stopped.
    """

    def __init__(self) -> None:
        self.has_come = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup asks for surviving the terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._note)

    def _note(self, *_: object) -> None:
        self.has_come = True


def run(environment: Mapping[str, str]) -> int:
    """Runs the set-up until it is told to stop. Returns the exit code: 0 after a signal, 1 after a problem."""
    stop = StopRequest()
    try:
        _run_until(stop, read_options(environment, Path.cwd()), environment)
    except LocalSetupError as problem:
        _say(f"waybill: {problem}", sys.stderr)
        return 1
    _say("waybill: stopped.", sys.stderr)
    return 0


def _run_until(stop: StopRequest, options: Options, environment: Mapping[str, str]) -> None:
    with ExitStack() as started:
        lock_fd = started.enter_context(claimed_home(options.home))
        refuse_taken_ports(options)
        started.enter_context(_page_build())
        if ensure_samples(options.sources_dir, options.catalogue):
            _say(f"waybill: sample files are in {options.sources_dir}", sys.stderr)
        with suppress(OSError):  # what stands in its way is told by the processor, which makes it otherwise
            options.objects_dir.mkdir(exist_ok=True)
        if stop.has_come:
            return
        processes = {}
        redis_url = options.redis_url
        if redis_url is None:
            valkey = EmbeddedValkey(options.valkey_dir, durable=True, kept_open_fds=(lock_fd,))
            started.enter_context(valkey)
            processes["embedded Valkey"] = valkey.process
            redis_url = valkey.url
        # A password that somebody else has set is not put into a file.
        noted = redis_url if options.redis_url is None else without_passwords(redis_url)
        started.enter_context(_noted(noted, options.redis_url_file))
        environment = _with_tickets(options, environment)
        for name, settings in (
            ("processor", processor_settings(options, redis_url)),
            ("gateway", gateway_settings(options, redis_url)),
        ):
            processes[name] = started.enter_context(_child(name, {**environment, **settings}, lock_fd))
        started.push(_announce_stop)
        _wait_until_ready(stop, options, processes)
        if not stop.has_come:
            _say(welcome(options, without_passwords(redis_url)), sys.stdout)
        while not stop.has_come:
            refuse_ended(processes)
            time.sleep(POLL_INTERVAL_SECONDS)


def _with_tickets(options: Options, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Add a secret of tickets where callers are asked who they are: the page's links are nothing without."""
    if not options.asks_who_calls or environment.get(VARIABLE):
        return environment
    try:
        return {**environment, VARIABLE: kept_ticket_secret(options.ticket_secret_file)}
    except OSError as problem:
        raise LocalSetupError(
            f"The secret of tickets cannot be kept in {options.ticket_secret_file}: {problem}."
        ) from problem


@contextmanager
def _noted(redis_url: str, path: Path) -> Iterator[None]:
    """Keep the URL in a file while all runs: the port of the embedded server is another one each time."""
    path.write_text(redis_url, encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _page_build() -> Iterator[None]:
    """Builds the page while the rest starts and runs. It says itself what came of it, and nothing depends on it."""
    process = subprocess.Popen(
        tethered([sys.executable, "-m", "deploy.local.page"]), stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # npm and Vite are its children; what they leave is done anew
        process.wait()


def _announce_stop(_: object, error: BaseException | None, __: object) -> None:
    # The reason first: stopping may take a while, and what the children log meanwhile hides it.
    if isinstance(error, LocalSetupError):
        _say(f"waybill: {error}", sys.stderr)
    _say("waybill: stopping …", sys.stderr)


@contextmanager
def _child(name: str, environment: Mapping[str, str], lock_fd: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs `python -m name`; on leaving it is asked to end, and killed when it does not in time."""
    process = subprocess.Popen(
        tethered([sys.executable, "-m", name]),
        env=environment,
        stdin=subprocess.DEVNULL,
        # With the lock open in every child, no second run touches the home before the last of them is gone.
        pass_fds=(lock_fd,),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            _say(f"waybill: the {name} did not end within {STOP_DEADLINE_SECONDS:.0f} s; it is killed.", sys.stderr)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(stop: StopRequest, options: Options, processes: Processes) -> None:
    deadline = time.monotonic() + READY_DEADLINE_SECONDS
    for name, port in (("processor", options.processor_admin_port), ("gateway", options.admin_port)):
        while (reason := why_not_ready(port)) is not None:
            refuse_ended(processes)
            if stop.has_come:
                return
            if time.monotonic() > deadline:
                raise LocalSetupError(f"The {name} was not ready after {READY_DEADLINE_SECONDS:.0f} s: {reason}")
            time.sleep(POLL_INTERVAL_SECONDS)


def refuse_ended(processes: Processes) -> None:
    """Raises LocalSetupError that names the first of `processes` that has ended."""
    for name, process in processes.items():
        exit_code = process.poll()
        if exit_code is not None:
            how = f"exit code {exit_code}" if exit_code >= 0 else f"by signal {signal.Signals(-exit_code).name}"
            raise LocalSetupError(f"The {name} ended by itself ({how}), so everything is stopped.")


def why_not_ready(admin_port: int) -> str | None:
    """None when the process behind this admin port says that it is ready, else its reason."""
    connection = http.client.HTTPConnection(HOST, admin_port, timeout=READY_CALL_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        if response.status == http.HTTPStatus.OK:
            return None
        reason = response.read(SHOWN_REASON_CHARACTERS).decode(errors="replace").strip()
        return f"/readyz answers {response.status} {reason}"
    except (OSError, http.client.HTTPException) as problem:
        return f"/readyz does not answer ({problem})"
    finally:
        connection.close()


def _say(text: str, stream: TextIO) -> None:
    """Prints, and shrugs when the terminal is gone: that must not keep the children from being stopped."""
    try:
        print(text, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
