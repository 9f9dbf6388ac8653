"""Everything that is kept in Redis. Only this package speaks to Redis, and only its scripts write job state."""
