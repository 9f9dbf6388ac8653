"""Telling others by HTTP: the home of the HTTP client."""
