"""How often Python looks for garbage in a gateway.

Its full collections walk every object that lives, over and over: with 10,000 viewers one takes a second, in which
nobody is served. What a gateway drops is freed by reference counts; only what refers to itself waits for the collector,
and that dies young (an exception and its frames), so the younger generations find it.
"""

import gc

YOUNG_OBJECTS = 10_000
"""So many more objects begin a look at the young ones, of about 1 ms. Python's own 700 come with each burst."""
MIDDLE_LOOKS = 20
FULL_LOOKS = 50
"""A full collection after at least ten million new objects, and only if those that live have grown by a quarter."""


def collect_rarely() -> None:
    """Leave out of every later collection what a started process has for good, and make full ones rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, MIDDLE_LOOKS, FULL_LOOKS)
