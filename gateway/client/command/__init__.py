"""The `waybill` command: what was asked for goes to stdout, everything said about it to stderr."""
