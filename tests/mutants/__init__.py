"""Mutants: the guards of the engine, each taken away once, and the tests that must notice."""
