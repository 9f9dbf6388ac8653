"""Look for known vulnerabilities in requirements.lock: exit code 1 when there are some.

Where no source of advisories answers it says that it was not done, and ends with 0: it must neither be taken for a
finding nor for a clean one.
"""

import sys
from pathlib import Path

from tests.audit.sources import SOURCES, Audit, audit

LOCK = Path("requirements.lock")


def main() -> int:
    """Audit, and print what was found."""
    found = audit(LOCK)
    print(told(found))
    return 1 if found is not None and found.findings else 0


def told(found: Audit | None) -> str:
    """Write the outcome for people."""
    if found is None:
        names = " nor ".join(source.name for source in SOURCES)
        return f"AUDIT NOT DONE: neither {names} gives advisories here. Known vulnerabilities were NOT looked for."
    lines = [f"{len(found.findings)} known vulnerabilities, says {found.source}", *found.findings]
    if found.unknown:
        lines.append(f"NOT AUDITED, because {found.source} does not know them: {', '.join(found.unknown)}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
