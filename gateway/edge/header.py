"""A header as ASGI has it: its name in small letters, and its value."""

Header = tuple[bytes, bytes]
