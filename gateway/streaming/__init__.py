"""Progress streams: every viewer gets every event after its cursor once and in order, or an explicit gap."""
