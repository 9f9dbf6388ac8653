"""The edge that the settings ask for: its rules, made once, for what is around the app (shell.py) and below it."""

from gateway.edge.answer_headers import AnswerHeaders
from gateway.edge.cors import Cors
from gateway.edge.header import Header
from gateway.edge.hosts import HostRule
from gateway.edge.pages import PageRule
from gateway.edge.proxies import TrustedProxies
from shared.gateway_settings import GatewaySettings


class Edge:
    """What the settings say about who may ask, from where, by which name; and what answers carry."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.hosts = HostRule(settings.host_names, takes_loopback=settings.auth == "none")
        self.proxies = TrustedProxies(settings.trusted_networks)
        self.cors = Cors(settings.allowed_origins)
        self.pages = PageRule(self.cors, is_open=settings.auth == "none")
        self.answers = AnswerHeaders(self.cors, hsts_seconds=settings.hsts_seconds)

    def headers_of_refusal(self, given: list[Header], request_id: str, *, peer: str) -> list[Header]:
        """Give the headers of an answer that is not the app's, to what was read of a request of `peer`."""
        origin = next((value for name, value in given if name == b"origin"), None)
        is_https = self.proxies.sender_of(peer, given).scheme == "https"
        return self.answers.complete((), request_id=request_id.encode(), origin=origin, is_https=is_https)
