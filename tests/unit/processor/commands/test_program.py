"""Which commands operators have, and where they are told of them."""

import re

from processor.commands.program import MODULES
from shared.settings_manual import help_page


def test_the_help_of_the_program_names_each_command_in_their_order() -> None:
    told = help_page("processor").partition("is about each:\n")[2].partition("\n\n")[0]

    assert re.findall(r"^  (\S+)", told, re.MULTILINE) == [name for module in MODULES for name in module.COMMANDS]
