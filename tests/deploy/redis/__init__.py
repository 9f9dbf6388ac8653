"""deploy/redis on real servers."""
