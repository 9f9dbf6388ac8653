"""Logs, metrics and traces, and the admin port that shows them: set up once by each process."""
