"""The terminal that a command writes to, if it is one."""

import shutil
import sys

PIPED_COLUMNS = 80


def page_columns() -> int:
    """Give the columns to write for: the terminal's, or 80 where there is none."""
    return shutil.get_terminal_size((PIPED_COLUMNS, 24)).columns if sys.stdout.isatty() else PIPED_COLUMNS
