"""How a copy of an installation is broken: one value is put somewhere, or something is taken away."""

from typing import Any, NamedTuple

from tests.deploy.k8s.manifests import Installation


class Gone:
    """In place of a value: what stands there is taken away."""


GONE = Gone()


class Break(NamedTuple):
    """One break: `where` is a manifest ("Deployment waybill-gateway") and a place in it (RFC 6901).

    Without a place the whole manifest is taken away. `check` is the check that finds it, `named` what it must say.
    """

    check: str
    named: str
    where: tuple[str, str]
    value: object = GONE
    at: str = "prod"

    def do(self, copy: Installation) -> None:
        """Break this copy."""
        of, place = self.where
        manifest = copy.get(*of.split(" "))
        if not place:
            copy.manifests.remove(manifest)
            return
        *way, last = (part.replace("~1", "/") for part in place.split("/"))
        inner: Any = manifest
        for part in way:
            inner = inner[_key(inner, part)]
        if self.value is GONE:
            del inner[_key(inner, last)]
        elif isinstance(inner, list) and last == "-":
            inner.append(self.value)
        else:
            inner[_key(inner, last)] = self.value


def _key(inner: object, part: str) -> str | int:
    return int(part) if isinstance(inner, list) and part != "-" else part
