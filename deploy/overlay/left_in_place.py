"""Which of the examples that are shipped is still there: passwords, hosts, buckets, the account. Pure.

All of them can be told from what anybody has: EXAMPLE stands in each secret, hosts are of the names that nobody can own
(RFC 2606 §2 and §3), buckets and account are those of our files. What may be right as it is, such as the network of the
proxies, cannot be told.
"""

import re
from collections.abc import Iterator

from deploy.overlay.manifests import Manifest, texts_in, title_of

# Quoted is what matched and no more: what stands around it may be somebody's secret.
_SHIPPED = re.compile(
    r"EXAMPLE(?:-change-me(?:-[a-z]+)?)?"
    r"|change-me"
    r"|(?<![\w-])(?:[\w-]+\.)*example(?:\.(?:org|com|net|internal)\b|(?<=\.example)\b(?![\w.-]))"
    r"|(?<![\w-])example-(?:originals|bundles)\b"
    r"|(?<!\d)123456789012(?!\d)"
    r"|of REDIS_URL"
)


def left_in_manifests(manifests: list[Manifest]) -> Iterator[str]:
    """Name each place in a rendered overlay that holds what was shipped."""
    for manifest in manifests:
        for place, text in texts_in(manifest):
            yield from (f"{title_of(manifest)}, {place}: {shipped} is as it was shipped" for shipped in _in(text))


def left_in_file(path: str, text: str) -> Iterator[str]:
    """Name each line of a file that holds what was shipped; what a comment says is no setting."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("#"):
            yield from (f"{path}, line {number}: {shipped} is as it was shipped" for shipped in _in(line))


def _in(text: str) -> list[str]:
    return sorted({found[0] for found in _SHIPPED.finditer(text)})
