"""Owners as Redis knows them."""

import hashlib


def digest_of(owner: str) -> str:
    """Give what stands for an owner in the names of its limits."""
    return hashlib.sha256(owner.encode()).hexdigest()
