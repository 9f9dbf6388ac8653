"""The settings as people read them: the page of `--help`, and docs/settings.md (`make docs`). Pure.

Both are made of the settings' own descriptions, so they cannot say anything else than the programs do.
"""

import textwrap
from collections.abc import Sequence

from shared.programs import PROGRAMS
from shared.setting import Setting, settings_of
from shared.settings import CommonSettings

HELP_COLUMNS = 79  # of a terminal of 80; some wrap when the last one is used

_PURPOSES = {
    "gateway": "Takes download requests over HTTP, and streams the progress of their jobs.",
    "processor": "Runs the jobs: bundles the requested files into archives.",
}
_COMMANDS = {
    "gateway": {"keys": "creates, lists and revokes API keys"},
    "processor": {
        "backlog": "says what is unfinished, who works on it, what waits longest",
        "jobs": "shows one job, with its history",
        "dead-letters": "lists, shows, redrives and discards jobs that failed for good",
        "callbacks": "lists, shows and tries what tells others of jobs' ends",
        "doctor": "looks whether Redis is as it should be, and mends what it can",
        "archives": "lets the search for archives that no job knows of delete many",
    },
}
_INTRODUCTION = """\
# Settings

<!-- Written by `make docs` from shared/settings.py and its two programs; a test fails when it is stale. -->

All settings are variables of the environment; an empty one counts as unset. A wrong value stops the process with exit
code 2 and a line for each problem, all of them at once; secrets and the passwords in URLs are not shown. A variable
that looks like one of these and is none (`WAYBIL_SLOTS`, `REDIS_URI`) is told as a warning in the log, also beside the
one that was meant.
`python -m gateway --help` and `python -m processor --help` say the same of their own settings, and what else the
program is called with.
"""


def help_page(program: str) -> str:
    """Write what `python -m <program> --help` prints: at most 79 columns wide."""
    own = settings_of(PROGRAMS[program])
    head = [
        f"Usage: python -m {program} [--help]",
        "",
        *textwrap.wrap(_PURPOSES[program], HELP_COLUMNS),
        "",
        *textwrap.wrap(
            "It takes no other arguments: all settings are variables of the environment. An empty one counts as unset. "
            "Exit codes: 0 after a clean stop, 2 when it cannot run with these settings.",
            HELP_COLUMNS,
        ),
        *_command_entry(program),
    ]
    lines = [line for setting in own for line in ["", *_help_entry(setting)]]
    return "\n".join([*head, *lines, ""])


def reference_page() -> str:
    """Write docs/settings.md."""
    common = {setting.field for setting in settings_of(CommonSettings)}
    sections = [("Both programs", list(settings_of(CommonSettings)))]
    for program, kind in PROGRAMS.items():
        sections.append((program.capitalize(), [s for s in settings_of(kind) if s.field not in common]))
    return _INTRODUCTION + "".join(_section(title, settings) for title, settings in sections)


def _command_entry(program: str) -> list[str]:
    if program not in _COMMANDS:
        return []
    told = f"Beside it there are commands for operators; python -m {program} <command> --help is about each:"
    own = _COMMANDS[program].items()
    return ["", *textwrap.wrap(told, HELP_COLUMNS), *(f"  {name:<14}{purpose}" for name, purpose in own)]


def _help_entry(setting: Setting) -> list[str]:
    lines = [f"  {setting.variable}", *_indented(setting.description, margin=6)]
    facts = [("values", setting.values + _with_unit(setting)), ("default", setting.default or "none")]
    if setting.example is not None:
        facts.append(("example", setting.example))
    for title, fact in facts:
        first, *more = _indented(fact, margin=15)
        lines += [f"      {title:<9}{first.strip()}", *more]
    return lines


def _indented(text: str, *, margin: int) -> list[str]:
    # Paths and URLs are kept whole, to be copied.
    wrapped = textwrap.wrap(text, HELP_COLUMNS - margin, break_long_words=False, break_on_hyphens=False)
    return [" " * margin + line for line in wrapped]


def _section(title: str, settings: Sequence[Setting]) -> str:
    rows = [
        "| variable | what it is | values | default | example |",
        "|---|---|---|---|---|",
        *(
            f"| `{s.variable}` | {s.description} | {s.values}{_with_unit(s)} | {_code(s.default)} | "
            f"{_code(s.example)} |"
            for s in settings
        ),
    ]
    return f"\n## {title}\n\n" + "\n".join(rows) + "\n"


def _with_unit(setting: Setting) -> str:
    return f", in {setting.unit}" if setting.unit else ""


def _code(text: str | None) -> str:
    return f"`{text}`" if text else "none"
