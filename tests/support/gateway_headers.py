"""What a gateway adds to each of its answers: what a proxy's own answers carry too."""

from gateway.edge.answer_headers import AnswerHeaders
from gateway.edge.cors import Cors

EXPOSED = "access-control-expose-headers"


def gateway_headers(*cors_origins: str, request_id: str, origin: str) -> dict[str, str]:
    """Give what a gateway that lets pages of `cors_origins` read its answers adds to one for a page of `origin`.

    Without the headers that it exposes: a proxy's answers have fewer of them.
    """
    headers = AnswerHeaders(Cors(cors_origins), hsts_seconds=0).complete(
        [], request_id=request_id.encode(), origin=origin.encode()
    )
    return {name.decode(): value.decode() for name, value in headers if name.decode() not in ("vary", EXPOSED)}
