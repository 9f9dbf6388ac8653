"""The HTTP calls, one module for each thing a caller asks for."""
