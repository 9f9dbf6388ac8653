"""The edge: what every request meets first, and what every answer carries last."""
