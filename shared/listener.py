"""Listening sockets."""

import socket

from shared.errors import SettingsError


def listen(host: str, port: int, *, port_variable: str) -> socket.socket:
    """Open a listening socket (not accepting yet) on an IPv4 or IPv6 address.

    Raises SettingsError with `port_variable` when the address cannot be used.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        problem = f"Cannot listen on {host}:{port}: {error.strerror}. Set {port_variable} to a free port."
        raise SettingsError([problem]) from error
    return listener
