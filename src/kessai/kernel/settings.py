"""Every setting with its name, unit, default and meaning; read once, in `main`."""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOCAL_SECRETS = {
    "service_token": "kessai-local-service-token",
    "paypay_api_key": "kessai-sim-key",
    "paypay_api_secret": "kessai-sim-secret",
}

# A name or an address as it stands in a URL, without scheme and port.
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*")
_LOCAL_PORT = re.compile(r"(?<=//127\.0\.0\.1):(\d+)")

# Those above 1024 of the Fetch standard's "port blocking" list: no browser opens them.
_BLOCKED_PORTS = (
    *(1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
    *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
)

# The schemes of those URLs that not every server has an adapter for.
_ADAPTERS = {
    "audit_url": ("sql", "mongodb", "mongodb+srv"),
    "search_url": ("tantivy", "memory", "http", "https"),
}

_LAST_OFFSET = 50_000

# Of the web: browsers open them, or services call them.
_ADDRESSES = (
    *("public_url", "firebase_keys_url", "firebase_api_url", "paypay_url"),
    *("sim_public_url", "sim_webhook_url"),
)

# Those that need nothing but what is here.
_ALONE = ("sql", "tantivy", "memory")

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """Environment variables `KESSAI_*` or a `.env` file; the scheme of a URL picks its adapter."""

    model_config = SettingsConfigDict(
        env_prefix="KESSAI_",
        env_file=".env",
        # Editors of Windows begin a file with a mark that would belong to the first name.
        env_file_encoding="utf-8-sig",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # Where and as what this process runs.
    env: Literal["local", "production"] = Field("local", description="production refuses defaults")
    data_dir: str = Field(".kessai", description="folder of the embedded default")
    instance: str = Field(
        "local", description="name of this process, %h: the host; no two alike", max_length=60
    )
    port_offset: Annotated[int, Field(ge=0, le=_LAST_OFFSET)] = Field(
        0, description="added to every port of this machine, so that two systems may run"
    )
    frontend_dir: str = Field("frontend/dist", description="the built pages; none: a plain page")
    crash_at: str = Field("", description="local only: <crash point>#<n>[=kill|stop|full]")
    crash_points_file: str = Field("", description="local only: crash points that were reached")
    clock_skew_s: float = Field(0, description="local only: this process's clock is off by so much")
    host: str = Field("127.0.0.1", description="address that the public ports listen on")
    bind_host: str = Field(
        "127.0.0.1", description="address that all else listens on, for who has a host of its own"
    )
    public_url: str = Field("http://127.0.0.1:8080", description="redirects, Origin check, cookie")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="networks whose X-Forwarded-For counts"
    )
    service_token: SecretStr = Field(
        SecretStr(LOCAL_SECRETS["service_token"]), description="secret between services"
    )
    service_urls: str = Field("", description="caller's view: order-service=http://h:8082|...;...")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="log level")

    # One URL per need.
    sql_url: str = Field(
        "sqlite:", description="one schema per service: sqlite: | mysql+asyncmy://user:pw@host:port"
    )
    bus_url: str = Field("local:", description="events: local: | kafka://host:port,...")
    redis_url: str = Field(
        "memory:",
        description="sessions and limits: memory: | redis[s]://:pw@host:port/db | "
        "redis[s]+sentinel://:pw@host:port,host:port/master",
    )
    audit_url: str = Field(
        "sql:", description="audit trail: sql: | mongodb://user:pw@host:port/database[?replicaSet=]"
    )
    objects_url: str = Field(
        "file:",
        description="product images: file:[/path] | s3://bucket?endpoint=http://h:p&region=...",
    )
    search_url: str = Field(
        "tantivy:",
        description="product search: tantivy: | memory: | http[s]://user:pw@host:port[/prefix]",
    )

    # Identity.
    firebase_project: str = Field("kessai-local", description="audience of ID tokens")
    firebase_keys_url: str = Field(
        "http://127.0.0.1:8091/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
        description="public keys of ID tokens",
    )
    firebase_api_url: str = Field("http://127.0.0.1:8091", description="where pages sign in")
    firebase_api_key: str = Field("kessai-local", description="public web API key")
    firebase_auth_domain: str = Field("127.0.0.1", description="auth domain of the web app")
    firebase_app_id: str = Field("kessai-web", description="web app id")

    # Payment provider.
    paypay_url: str = Field("http://127.0.0.1:8090", description="PayPay's API")
    paypay_api_key: SecretStr = Field(
        SecretStr(LOCAL_SECRETS["paypay_api_key"]), description="API key"
    )
    paypay_api_secret: SecretStr = Field(
        SecretStr(LOCAL_SECRETS["paypay_api_secret"]), description="API secret"
    )
    paypay_merchant_id: str = Field("kessai-merchant", description="merchant id")
    paypay_webhook_sources: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1/32", "::1/128"), description="networks that may send webhooks"
    )
    paypay_create_timeout_s: Seconds = Field(30, description="read timeout of create (PayPay: 30)")
    paypay_timeout_s: Seconds = Field(15, description="read timeout of other calls (PayPay: 15)")
    paypay_rate_per_s: Annotated[float, Field(gt=0)] = Field(
        50, description="requests a second to PayPay"
    )
    paypay_rate_wait_s: Seconds = Field(10, description="a request waits for that rate at most")
    paypay_creates_at_once: Count = Field(40, description="code requests on the wire at once")
    paypay_lookups_at_once: Count = Field(36, description="look-ups on the wire at once")
    paypay_changes_at_once: Count = Field(
        24, description="deletes, cancels, captures and refunds on the wire at once"
    )
    paypay_skew_alarm_s: Seconds = Field(
        30, description="our clock may be off PayPay's by this before it is told (PayPay: 120)"
    )
    paypay_code_lifetime_s: Count = Field(
        300, description="lifetime of a code whose answer is lost"
    )
    paypay_grace_s: Seconds = Field(2, description="time between closing a code and believing it")

    paypay_file_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="hosts of settlement files, beside that of PayPay's API"
    )
    paypay_file_limit_bytes: Count = Field(512 * 1024 * 1024, description="largest settlement file")
    paypay_file_timeout_s: Seconds = Field(600, description="a download of one takes at most")

    # Promises.
    order_deadline_s: Count = Field(900, description="an order waits for payment at most")
    customer_refund_s: Count = Field(86400, description="a customer may ask for a refund within")
    refund_limit_s: Count = Field(300, description="a refund must be done within (rule D)")
    alert_window_s: Count = Field(30, description="window of rules A and B")
    alert_tick_s: Count = Field(10, description="tick of the alert rules")
    alert_webhook_url: str = Field("", description="who is told of alerts; none: the log alone")
    alert_webhook_secret: SecretStr = Field(
        SecretStr(""), description="signs that webhook: whsec_ and 24 to 64 bytes in base64"
    )
    outbox_lag_s: Annotated[float, Field(ge=0)] = Field(
        60, description="messages may wait so long to leave (rule H); 0: not watched"
    )
    webhook_silence_s: Annotated[int, Field(ge=0)] = Field(
        900,
        description="no webhook and 5 payments found by polling within (rule I); 0: not watched",
    )
    webhook_keep_days: Annotated[int, Field(ge=1)] = Field(
        90, description="webhooks that were dealt with are forgotten after"
    )
    purchase_answer_s: Seconds = Field(8, description="a purchase answers after at most")
    call_timeout_s: Seconds = Field(10, description="limit of a call between services")
    poll_first_s: Seconds = Field(3, description="first look-up after a code was made")
    poll_max_s: Seconds = Field(10, description="longest pause between look-ups of a live code")
    fallback_after_s: Seconds = Field(20, description="order-service asks when no event came")
    fallback_every_s: Seconds = Field(5, description="pause between such rounds")
    slo_keep_days: Annotated[int, Field(ge=2)] = Field(
        14, description="the counts behind `kessai slo` are forgotten after"
    )
    idle_poll_s: Seconds = Field(1, description="loops that nothing woke look for work so often")
    stop_timeout_s: Count = Field(8, description="graceful stop")

    # Saga engine.
    saga_engine: Literal["sql", "temporal"] = Field(
        "sql", description="sql: the service's own database | temporal: kessai[temporal]"
    )
    temporal_url: str = Field(
        "127.0.0.1:7233", description="host:port[/namespace][?queue=name], tls://host:port/..."
    )
    saga_lease_s: Seconds = Field(2, description="an engine without heartbeat is dead after")
    saga_heartbeat_s: Seconds = Field(0.5, description="pause between heartbeats")
    saga_retry_max_s: Seconds = Field(5, description="longest pause before a step is asked again")
    saga_keep_days: Annotated[int, Field(ge=1)] = Field(
        90, description="sagas that came to their end are forgotten after"
    )

    # Sessions and limits.
    session_idle_s: Count = Field(1800, description="a session without requests ends after")
    session_absolute_s: Count = Field(43200, description="a session ends after, whatever happens")
    channel_token_s: Count = Field(60, description="lifetime of a WebSocket ticket")
    purchases_per_minute: Count = Field(600, description="purchases of one user a minute")
    checks_per_minute: Count = Field(20, description="look-ups of one order by its customer")
    sign_ins_per_minute: Count = Field(600, description="sign-ins from one address a minute")
    body_limit_bytes: Count = Field(65536, description="largest request body")
    page_limit: Count = Field(100, description="largest page of a list")

    # Simulators.
    sim_public_url: str = Field("http://127.0.0.1:8090", description="pages of the simulator")
    sim_webhook_url: str = Field(
        "http://127.0.0.1:8080/paypay/callback", description="where it sends webhooks"
    )

    sim_tls_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="the PayPay simulator answers https here too; 0: not"
    )
    sim_tls_certificate: str = Field("", description="its certificate (PEM); else it makes one")
    sim_tls_key: str = Field("", description="the certificate's key (PEM)")

    @model_validator(mode="before")
    @classmethod
    def split_lists(cls, values: dict[str, object]) -> dict[str, object]:
        """Lists are written with commas: `10.0.0.0/8,192.0.2.1/32`."""
        lists = ("trusted_proxies", "paypay_webhook_sources", "paypay_file_hosts")
        split = {
            name: tuple(part.strip() for part in text.split(",") if part.strip())
            for name in lists
            if isinstance(text := values.get(name), str)
        }
        return {**values, **split}

    @model_validator(mode="before")
    @classmethod
    def shift_ports(cls, values: dict[str, object]) -> dict[str, object]:
        """Addresses on this machine that were not given follow `KESSAI_PORT_OFFSET`."""
        offset = str(values.get("port_offset", 0))
        if not offset.isdigit() or not 0 < int(offset) <= _LAST_OFFSET:
            return values
        shifted = {
            name: _LOCAL_PORT.sub(lambda port: f":{int(port[1]) + int(offset)}", field.default)
            for name, field in cls.model_fields.items()
            if isinstance(field.default, str) and _LOCAL_PORT.search(field.default)
        }
        return {**shifted, **values}

    @field_validator("instance")
    @classmethod
    def name_the_host(cls, name: str) -> str:
        """Containers of one service are told apart by their hosts' names."""
        return name.replace("%h", socket.gethostname())[:60]

    @field_validator("paypay_file_hosts")
    @classmethod
    def require_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """What could never be the host of a link would only look like a permission."""
        named = tuple(host.lower().strip("[]") for host in hosts)
        if wrong := [host for host in named if not _HOST.fullmatch(host)]:
            raise ValueError(f"host names without scheme and port, please: {', '.join(wrong)}")
        return named

    @field_validator("trusted_proxies", "paypay_webhook_sources")
    @classmethod
    def require_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            ipaddress.ip_network(text, strict=False)
        return texts

    @field_validator("sql_url")
    @classmethod
    def require_no_file(cls, url: str) -> str:
        if url.startswith("sqlite:") and url != "sqlite:":
            raise ValueError("nothing follows sqlite:, please: KESSAI_DATA_DIR is the folder")
        return url

    @field_validator("audit_url", "search_url")
    @classmethod
    def require_an_adapter(cls, url: str, about: ValidationInfo) -> str:
        """A server that is named and not used would be worse than none."""
        known = _ADAPTERS[about.field_name or ""]
        scheme = url.partition(":")[0]
        if scheme not in known:
            these = ", ".join(f"{name}:" for name in known)
            raise ValueError(f"there is no adapter for {scheme}: yet, only for {these}")
        if scheme in _ALONE and url != f"{scheme}:":
            raise ValueError(f"nothing follows {scheme}:, please")
        return url

    @field_validator(*_ADDRESSES, "alert_webhook_url")
    @classmethod
    def require_an_address(cls, url: str, about: ValidationInfo) -> str:
        """A shop that starts with less than that refuses every browser, and nobody sees why."""
        parts = urlsplit(url)
        if not url and about.field_name == "alert_webhook_url":
            return url
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("an http or https address without a user, please")
        # Raises where it is no port.
        _ = parts.port
        return url

    @field_validator("alert_webhook_secret")
    @classmethod
    def require_a_webhook_secret(cls, secret: SecretStr) -> SecretStr:
        """The form of Standard Webhooks; the secret itself is in no message."""
        text = secret.get_secret_value()
        if not text:
            return secret
        try:
            key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
            raise ValueError("whsec_ and 24 to 64 bytes in base64, please")
        return secret

    @model_validator(mode="after")
    def require_a_whole_webhook(self) -> Self:
        if bool(self.alert_webhook_url) is not bool(self.alert_webhook_secret.get_secret_value()):
            raise ValueError("KESSAI_ALERT_WEBHOOK_URL and KESSAI_ALERT_WEBHOOK_SECRET go together")
        return self

    @model_validator(mode="after")
    def require_whole_tls(self) -> Self:
        given = (bool(self.sim_tls_certificate), bool(self.sim_tls_key))
        if any(given) and not (all(given) and self.sim_tls_port):
            raise ValueError(
                "KESSAI_SIM_TLS_PORT, KESSAI_SIM_TLS_CERTIFICATE and KESSAI_SIM_TLS_KEY go together"
            )
        return self

    @property
    def is_open_with_known_token(self) -> bool:
        """Other machines reach the services' own ports, and everybody knows their token."""
        known = self.service_token.get_secret_value() == LOCAL_SECRETS["service_token"]
        return known and not _is_loopback(self.bind_host)

    @property
    def closed_to_browsers(self) -> tuple[str, ...]:
        """Addresses for people that no browser opens (ERR_UNSAFE_PORT), whoever listens there."""
        shown = (self.public_url, self.sim_public_url, self.firebase_api_url)
        return tuple(url for url in shown if urlsplit(url).port in _BLOCKED_PORTS)

    @model_validator(mode="after")
    def refuse_defaults_in_production(self) -> Self:
        if self.env != "production":
            return self
        if self.crash_at or self.crash_points_file:
            raise ValueError("KESSAI_CRASH_AT and KESSAI_CRASH_POINTS_FILE are for local tests")
        if self.clock_skew_s:
            raise ValueError("KESSAI_CLOCK_SKEW_S is for local tests")
        if self.alert_webhook_url.startswith("http://"):
            raise ValueError("KESSAI_ALERT_WEBHOOK_URL: https in production, please")
        weak = [
            f"KESSAI_{name.upper()}"
            for name, default in LOCAL_SECRETS.items()
            if (value := getattr(self, name).get_secret_value()) == default or len(value) < 12
        ]
        if "127.0.0.1" in self.firebase_keys_url or "localhost" in self.firebase_keys_url:
            weak.append("KESSAI_FIREBASE_KEYS_URL")
        if weak:
            raise ValueError(f"production refuses default or short values: {', '.join(weak)}")
        return self


def _is_loopback(host: str) -> bool:
    """Whether only this machine can mean or reach this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
