"""The one error of the one-machine set-up. Its message is all that the person at the terminal gets to see."""


class LocalSetupError(Exception):
    """The set-up cannot start or go on; the message says what happened and what the reader can do."""
