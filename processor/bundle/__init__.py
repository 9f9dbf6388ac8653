"""The built-in handler: many files become one stored ZIP. The plan is pure; the transfer only follows it."""
