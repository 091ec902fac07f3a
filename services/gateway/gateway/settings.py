"""Everything an operator may set. A profile is chosen by URLs, never by a flag."""

import base64
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from ipaddress import ip_network
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from sqlalchemy import make_url

from contracts import thresholds
from contracts.analyze import Overrides
from gateway.auth import AccessSettings
from gateway.rates import Rate
from runtime.netguard import AddressPolicy

_KEY_BYTES = 32
_DATABASES = ("postgresql+asyncpg://", "sqlite+aiosqlite://")
_REDIS = ("redis://", "rediss://", "unix://")


class GatewaySettings(AccessSettings):
    """Settings of the API and the worker; each field is the environment variable of the same name in capitals."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="0 takes a free one")
    log_level: str = Field("INFO", description="least severe event that is logged")
    metrics_port: int = Field(0, ge=0, le=65_535, description="where the worker shows its metrics; 0: nowhere")

    database_url: str = Field(
        "sqlite+aiosqlite:///data/cro.db", description="postgresql+asyncpg://… or sqlite+aiosqlite:///file"
    )
    blobs_url: str = Field(
        "file:data/blobs",
        description="file:relative/folder, file:///absolute/folder or s3://bucket/prefix?region=…; other servers than "
        "AWS: &endpoint=https://…, and &public=https://… where customers reach it elsewhere; &addressing=path|virtual",
    )
    blobs_base_url: str = Field(
        "http://127.0.0.1:8000", description="origin at which renderer and analyzer reach the blob routes"
    )
    blobs_secret: str = Field("", description="signs blob URLs; missing: made once and kept in the blob folder")
    aws_access_key_id: SecretStr = Field(
        SecretStr(""), description="for s3://; missing: as the AWS SDK finds them (web identity, pod identity, profile)"
    )
    aws_secret_access_key: SecretStr = Field(SecretStr(""), description="belongs to AWS_ACCESS_KEY_ID")
    aws_session_token: SecretStr = Field(SecretStr(""), description="belongs to temporary AWS_ACCESS_KEY_IDs")
    cdn_url: str = Field(
        "", description="origin of a CloudFront distribution before the bucket: customers' links lead there, signed"
    )
    cdn_key_id: str = Field("", description="id of the public key in the distribution's trusted key group")
    cdn_private_key_file: str = Field("", description="PEM file with the RSA key that belongs to CDN_KEY_ID")

    renderer_url: str = Field(
        "http://127.0.0.1:9000",
        description="where the worker finds the renderers, with commas between several; every address of a name is one",
    )
    analyzer_url: str = Field("http://127.0.0.1:9100", description="where the worker finds the analyzer")
    render_budget_seconds: int = Field(60, ge=5, le=115, description="longest render")
    capture_budget_seconds: int = Field(60, ge=5, le=115, description="longest capture, all its tiers together")
    capture_max_cost_usd: Decimal = Field(
        Decimal("0.05"), ge=0, description="most that a tier of one capture may cost; requests may say less"
    )
    capture_allow_scripts: bool = Field(
        False,
        description="true: captures may bring JavaScript (prepare.wait_for.function); logged; trusted callers only",
    )
    capture_link_seconds: int = Field(
        3_600, ge=60, le=604_800, description="how long a signed artifact link is valid; of a bucket, 900 at most"
    )
    analyze_budget_seconds: int = Field(120, ge=5, le=175, description="longest analysis of a render")

    worker_concurrency: int = Field(4, ge=1, le=200, description="jobs in progress in one worker")
    worker_light_concurrency: int = Field(
        100, ge=1, le=500, description="jobs in progress in one worker besides those, which need plain HTTP only"
    )
    bulk_concurrency: int = Field(
        50,
        ge=0,
        le=90,
        description="pages that one worker hands in for a message batch at once, beside its jobs in progress",
    )
    redis_url: str = Field(
        "", description="redis://… or unix://…: limits and wake-ups that all processes share; empty: this process alone"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that `api` or `worker` starts on this machine")
    limit_concurrency: int = Field(
        2_000,
        ge=0,
        description="requests that one API process works on at once, waiting callers included; 0: any number",
    )
    api_processes: int = Field(
        2, ge=1, description="API processes in all: each grants its share of a rate limit while Redis is away"
    )
    trusted_proxies: str = Field(
        "", description="networks whose X-Forwarded-For and X-Forwarded-Proto are believed: 10.0.0.0/8,fd00::/8"
    )
    max_body_bytes: int = Field(1_048_576, ge=1_024, description="largest request body, except uploads")
    max_upload_bytes: int = Field(12_582_912, ge=1_024, description="largest multipart request body")
    body_timeout_seconds: float = Field(20, gt=0, le=300, description="time in which a request body has to arrive")
    queue_limit: int = Field(
        10_000, ge=1, description="waiting jobs from which on new ones are refused, until a tenth of them is done"
    )
    rate_limit_key: Rate = Field(
        Rate("1200/60/200"), description="requests / seconds / of these at once, for one API key; `off`: no limit"
    )
    rate_limit_tenant: Rate = Field(
        Rate("3000/60/500"),
        description="the same, for all keys of one tenant whose plan names no rate; `off`: no plan's rate holds either",
    )
    rate_limit_address: Rate = Field(
        Rate("1200/60/200"), description="the same, for one client address (IPv6: /64); loopback has none"
    )
    shutdown_grace_seconds: float = Field(
        5,
        ge=0,
        le=120,
        description="time between SIGTERM and closing the door, in which `/readyz` says no; SIGINT: none",
    )
    api_database_seconds: float = Field(
        2, ge=0.1, le=10, description="longest time that a request waits for one statement"
    )

    lease_seconds: float = Field(30, ge=1, le=600, description="silence after which a worker counts as dead")
    poll_seconds: float = Field(1, gt=0, le=30, description="longest time to miss a lost wake-up")
    drain_seconds: float = Field(25, ge=0, le=600, description="time to finish on SIGTERM before jobs are given back")
    max_attempts: int = Field(3, ge=1, le=20, description="failures that may be retried before a job is dead")
    max_crashes: int = Field(2, ge=1, le=1_000, description="workers that a job may take down before it is dead")
    retry_base_seconds: float = Field(
        2, ge=0, le=60, description="first retry comes within this, each later one within twice as much"
    )

    outage_patience_seconds: float = Field(
        900,
        ge=0,
        le=86_400,
        description="age up to which a job waits for a service that cannot be reached; later it counts as an attempt",
    )

    tenant_ai_budget_usd_per_day: Decimal | None = Field(
        None,
        ge=0,
        description="what one tenant's analyses may cost with the model provider in a day (UTC); none: no limit",
    )
    ai_reservation_usd: dict[str, float] = Field(
        {"fast": 0.05, "standard": 0.3, "deep": 0.75},
        description="held of that budget for one analysis, by preset, until its bill is known",
    )

    enrich_patience_seconds: int = Field(
        86_400,
        ge=0,
        le=604_800,
        description="how long a result that rules alone gave waits for a model that was away; 0: it does not",
    )
    ai_memo_days: int = Field(
        30, ge=0, le=365, description="how long a model's answer serves a page that has not changed; 0: never"
    )
    rule_thresholds: Overrides = Field(
        {},
        description='thresholds of rules for tenants that have set none of their own: {"hero.density": {"warn": 150}}',
    )
    retention_days: int = Field(30, ge=1, le=3_650, description="age at which ended jobs and their artifacts go")
    retention_days_by_tenant: dict[str, int] = Field({}, description="another age for some tenants, by their id")
    events_per_tenant: int = Field(
        200, ge=1, le=10_000, description="event streams that one tenant may hold open in one process"
    )
    signing_secret: str = Field(
        "", description="signs cursors and fingerprints, the same in every process; missing: made from DATABASE_URL"
    )

    egress_allow_private: str = Field("", description="private hosts that may be opened: 127.0.0.1:8000,shop.test")
    egress_proxy_url: str = Field(
        "", description="http://host:port of the egress service; empty: webhooks leave directly"
    )

    public_url: str = Field(
        "",
        description="origin at which customers reach this API; empty: links in events name no host, and without API "
        "keys it answers under addresses and private names only",
    )
    webhook_secret_keys: str = Field(
        "",
        description="Fernet keys that wrap signing secrets in the database, newest first, the same for API and worker; "
        "empty: one made from API_KEY_PEPPER, and without that they are not wrapped",
    )
    webhook_concurrency: int = Field(32, ge=1, le=500, description="deliveries in progress in one worker")
    webhook_endpoint_concurrency: int = Field(
        5, ge=1, le=50, description="deliveries in progress to one receiver, where its endpoint says nothing else"
    )
    webhook_timeout_seconds: float = Field(
        15, gt=0, le=60, description="longest time that a receiver may take to answer"
    )
    webhook_disable_days: float = Field(
        5, gt=0, le=60, description="days without one success after which one is disabled"
    )
    webhook_log_days: float = Field(30, ge=4, le=366, description="how long events and their delivery log are kept")

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: str) -> str:
        wanted = "must be postgresql+asyncpg://user:password@host/name or sqlite+aiosqlite:///file"
        if not value.startswith(_DATABASES):
            raise ValueError(wanted)
        try:
            make_url(value)
        except ValueError as exc:
            raise ValueError(wanted) from exc  # a port that is no number
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis(cls, value: str) -> str:
        if value and not (value.startswith(_REDIS) and _has_a_port(value)):
            raise ValueError("must be redis://host:6379/0, rediss://… or unix:///socket")
        return value

    @field_validator("renderer_url")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        origins = [_origin(part) for part in map(str.strip, value.split(",")) if part]
        if not origins:
            raise ValueError("must be http://host:port or https://host")
        return ",".join(origins)

    @field_validator("analyzer_url", "blobs_base_url", "public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        return _origin(value)

    @field_validator("egress_allow_private")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        AddressPolicy.from_setting(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for part in filter(None, map(str.strip, value.split(","))):
            ip_network(part)
        return value

    @field_validator("webhook_secret_keys")
    @classmethod
    def _are_keys(cls, value: str) -> str:
        try:
            sizes = {len(base64.urlsafe_b64decode(key.strip())) for key in value.split(",") if key.strip()}
        except ValueError:
            sizes = {0}
        if sizes - {_KEY_BYTES}:
            raise ValueError("no Fernet keys: each is 32 bytes in URL-safe base64, with commas between them")
        return value

    @field_validator("rule_thresholds")
    @classmethod
    def _allowed(cls, value: Overrides) -> Overrides:
        if value and (problems := thresholds.problems(value, thresholds.defaults(), "RULE_THRESHOLDS.")):
            raise ValueError("; ".join(f"{one.field}: {one.message}" for one in problems))
        return value

    @property
    def signing_key(self) -> bytes:
        """The key of every signature that only this API reads again."""
        return sha256(f"cro-analyzer/{self.signing_secret or self.database_url}".encode()).digest()

    @property
    def lease(self) -> timedelta:
        """Silence after which a worker counts as dead."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def outage_patience(self) -> timedelta:
        """How long a service may be away at no cost: 99.9 % of jobs are promised to end within 15 minutes."""
        return timedelta(seconds=self.outage_patience_seconds)

    @property
    def enrich_patience(self) -> timedelta:
        """How long a result may wait for the model."""
        return timedelta(seconds=self.enrich_patience_seconds)

    @property
    def memo_life(self) -> timedelta:
        """How long an answer of the model may be used again."""
        return timedelta(days=self.ai_memo_days)

    @property
    def poll(self) -> timedelta:
        """Longest time to miss a lost wake-up."""
        return timedelta(seconds=self.poll_seconds)

    @property
    def webhook_timeout(self) -> timedelta:
        """Longest time that a receiver may take to answer."""
        return timedelta(seconds=self.webhook_timeout_seconds)

    @property
    def patience(self) -> timedelta:
        """How long a result is offered to a database that is away.

        Longer than a lease: if nobody else took the job during the outage, what was paid for is not lost.
        """
        return 4 * self.lease


def _has_a_port(url: str) -> bool:
    """Say whether a URL's port can be used; most have none, and mean the usual one."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or not _has_a_port(value)):
        raise ValueError("must be http://host:port or https://host")
    return value
