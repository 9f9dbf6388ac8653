"""Who calls: the header, API keys, tokens, and the gate that every call of a job goes through."""
