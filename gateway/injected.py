"""What routes are handed by name, where its type alone would not do."""

from litestar.params import SkipValidation

from shared.objects.store import ObjectStore

# Litestar asks isinstance of what it injects, which a Protocol does not answer.
AnyStore = SkipValidation[ObjectStore]
