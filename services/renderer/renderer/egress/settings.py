"""What may leave, how much of it, and by which way: the same settings for the service and for the one in-process."""

import ipaddress
from dataclasses import replace
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from renderer.egress.budget import EgressLimits
from runtime.addresses import IPNetwork
from runtime.dialing import Reach, reach_directly
from runtime.netguard import AddressPolicy
from runtime.settings import Settings, named
from runtime.tunnels import ProxyAddress, Upstream


class EgressRules(Settings):
    """Rules of the egress proxy, wherever it runs."""

    # An error would quote the upstream proxy's password.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    egress_allow_private: str = Field("", description="host:port,… that may be opened although private; logged")
    egress_extra_ports: str = Field("", description="ports beside 80 and 443 that may be opened: 8080,8443")
    egress_own_ranges: str = Field("", description="public networks of our own that may not be opened: 198.51.1.0/24,…")
    egress_upstream_proxy: SecretStr = Field(
        SecretStr(""), description="http://user:password@host:port that judged addresses are dialled through"
    )
    egress_job_bytes: int = Field(100_000_000, ge=1, description="bytes that one job may move, both ways together")
    egress_job_requests: int = Field(1_000, ge=1, description="requests and tunnels that one job may open")
    egress_job_s: float = Field(300, gt=0, description="time that one job may use the network")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self.policy()
        self.reach()
        return self

    def policy(self) -> AddressPolicy:
        """Return what may be opened. Raises `ValueError` naming the entry that cannot be read."""
        with named("EGRESS_EXTRA_PORTS"):
            ports = [int(port) for port in self.egress_extra_ports.split(",") if port.strip()]
        with named("EGRESS_ALLOW_PRIVATE"):
            policy = AddressPolicy.from_setting(self.egress_allow_private, extra_ports=ports)
        with named("EGRESS_OWN_RANGES"):
            own = AddressPolicy.from_setting("", own_ranges=self.egress_own_ranges)
        return replace(policy, own_ranges=own.own_ranges)

    def limits(self) -> EgressLimits:
        """Return the budgets of one job."""
        return EgressLimits(self.egress_job_bytes, self.egress_job_requests, self.egress_job_s)

    def reach(self) -> Reach:
        """Return how judged addresses are connected to. Raises `ValueError`."""
        upstream = self.egress_upstream_proxy.get_secret_value()
        with named("EGRESS_UPSTREAM_PROXY"):
            return Upstream(ProxyAddress.parse(upstream)) if upstream else reach_directly


class EgressSettings(EgressRules):
    """Settings of `python -m renderer egress`. Times are in seconds."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(9300, ge=0, le=65_535, description="of the proxy; 0 takes a free one")
    egress_control_port: int = Field(9301, ge=0, le=65_535, description="of health, metrics and verdicts; on HOST too")
    egress_allowed_clients: str = Field("127.0.0.0/8,::1/128", description="networks whose connections are taken")
    egress_connections: int = Field(2_000, ge=1, description="connections of clients at once; more are closed")
    egress_drain_s: float = Field(25, ge=0, description="time that open connections get when the service stops")
    log_level: str = Field("INFO", description="least severe event that is logged")

    @model_validator(mode="after")
    def _clients_readable(self) -> Self:
        self.clients()
        return self

    def clients(self) -> list[IPNetwork]:
        """Return the networks of allowed clients. Raises `ValueError`."""
        with named("EGRESS_ALLOWED_CLIENTS"):
            return [
                ipaddress.ip_network(item.strip()) for item in self.egress_allowed_clients.split(",") if item.strip()
            ]
