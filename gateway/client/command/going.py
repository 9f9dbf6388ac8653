"""How a command that talks to a server goes on and ends: what it says, what it shows, and its exit code."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from gateway.client.asynchronous import AsyncWaybill
from gateway.client.command.exit_codes import INTERRUPTED, TERMINATED, TIMED_OUT, exit_code_of
from gateway.client.command.settings import KEY_VARIABLE, Settings
from gateway.client.command.standard_streams import stdout_failed, tell
from gateway.client.command.views import LineView, Rows, SilentView, View, looking
from gateway.client.errors import NobodyListens, NotWaybill, ServerUnreachable
from shared import limits
from shared.caller_errors import Unauthenticated
from shared.errors import WaybillError

Act = Callable[["Going"], Awaitable[int]]
WORTH_SAYING_MS = 3_000


class Going:
    """One call of the command. `hint` is said when it ends before its job.

    `on_interrupt` is done at Ctrl-C, and gives what is said then in place of the hint.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rows = Rows()
        self.troubles = 0
        self.hint: Callable[[], str] = lambda: ""
        self.on_interrupt: Callable[[AsyncWaybill], Awaitable[str]] | None = None
        self._view: View | None = None
        self._waybill: AsyncWaybill | None = None

    @property
    def waybill(self) -> AsyncWaybill:
        """The server that is spoken to."""
        assert self._waybill is not None
        return self._waybill

    def say(self, sentence: str) -> None:
        """Say something that is not an error; -q is silent."""
        if self.settings.is_quiet:
            return
        if self._view is not None:
            self._view.say(sentence)
        else:
            complain(sentence)

    def trouble(self, error: WaybillError, pause_ms: int) -> None:
        """Count what is tried again, and say it where somebody would wonder."""
        self.troubles += 1
        if self.settings.is_verbose or pause_ms >= WORTH_SAYING_MS:
            self.say(f"{error.message} Trying again in {max(1, round(pause_ms / 1000))} s.")

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show the rows until the end of the block."""
        self._view = self._fitting_view()
        try:
            async with looking(self._view):
                yield
        finally:
            self._view = None

    def _fitting_view(self) -> View:
        if self.settings.is_quiet:
            return SilentView()
        # Each stream is looked at by itself: stdout may be a file while somebody watches stderr.
        is_shared = self.settings.as_json and sys.stdout.isatty()  # lines of JSON would be drawn over
        is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not is_shared
        if self.settings.shows_progress and is_terminal:
            from rich.console import Console

            from gateway.client.command.terminal_view import TerminalView

            wanted = {"always": True, "never": False, "auto": None}[self.settings.color]
            return TerminalView(
                self.rows, Console(stderr=True, no_color=None if wanted is None else not wanted, highlight=False)
            )
        return LineView(self.rows, shows_progress=self.settings.shows_progress)

    # ── begin and end ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, act: Act) -> int:
        """Do it within the time that was given."""
        try:
            with _cancelled_by(signal.SIGTERM):
                async with asyncio.timeout(self.settings.timeout_seconds), self.connected():
                    return await act(self)
        except TimeoutError:
            complain(f"--timeout: {self.settings.timeout_seconds:g} seconds are over. {self.hint()}")
            return TIMED_OUT

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncWaybill]:
        """Speak to the server until the end of the block."""
        settings = self.settings
        async with AsyncWaybill(
            settings.server, api_key=settings.api_key, tries=settings.tries, on_trouble=self.trouble
        ) as self._waybill:
            yield self._waybill

    async def interrupted(self) -> str:
        """Do what was asked for at Ctrl-C; give what there is to say."""
        if self.on_interrupt is None:
            return self.hint()
        try:
            async with asyncio.timeout(limits.CLIENT_CANCEL_WITHIN_SECONDS), self.connected() as waybill:
                return await self.on_interrupt(waybill)
        except TimeoutError:
            return f"It could not be cancelled: no answer in time. {self.hint()}"
        except WaybillError as error:
            return f"It could not be cancelled: {error.message} {self.hint()}"


@contextlib.contextmanager
def _cancelled_by(signal_number: int) -> Iterator[None]:
    """Let a signal cancel the task at hand, so that files are closed and a terminal gets its cursor back."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal_number, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal_number)


def run(settings: Settings, act: Act) -> int:
    """Run a command to its end; give its exit code."""
    going = Going(settings)
    try:
        return asyncio.run(going.run(act))
    except WaybillError as error:
        complain(_told(error, going))
        return exit_code_of(error)
    except OSError as error:  # here, because click would make a pipe that is closed a failure
        return stdout_failed(error)
    except KeyboardInterrupt:
        complain(f"Interrupted. {_at_interrupt(going)}")
        return INTERRUPTED
    except asyncio.CancelledError:
        complain(f"Terminated. {going.hint()}")
        return TERMINATED


def _at_interrupt(going: Going) -> str:
    try:
        return asyncio.run(going.interrupted())
    except KeyboardInterrupt:  # a second one: whoever is that impatient need not wait for an answer
        return going.hint()


def _told(error: WaybillError, going: Going) -> str:
    if isinstance(error, NobodyListens):
        return f"{error.message} {_another_address(going.settings)} {going.hint()}"
    if isinstance(error, ServerUnreachable):
        return f"{error.message} {going.hint()}" if going.hint() else f"{error.message} Check --server, or WAYBILL_URL."
    if isinstance(error, Unauthenticated):
        return f"{error.message} Put the key into {KEY_VARIABLE}, or into a file and name that with --key-file."
    if isinstance(error, NotWaybill) or not error.is_retryable:
        return error.message
    return f"{error.message} {going.hint()}"


def _another_address(settings: Settings) -> str:
    if settings.has_server:
        return "Is it up? Check --server, or WAYBILL_URL."
    return "That is asked where no address is given: give yours with --server URL, or in WAYBILL_URL."


def complain(sentence: str) -> None:
    """Say something to who called, whatever the flags."""
    tell(f"waybill: {sentence.strip()}")
