"""How a dead letter is shown to operators and admins, and what follows from how admins took it. Pure."""
