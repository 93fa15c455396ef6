"""The environment, read once: what the settings of both services have in common.

Each service's `config/settings.py` names its variables through `Environment`; `.env.example` beside
its `manage.py` lists them all. A variable `NAME` may also be given as a file, `NAME_FILE`.
"""

import math
import os
import re
import sys
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

import chassis.broker  # noqa: F401  # registers the embedded broker with kombu

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
# How long a statement waits for a lock (seconds). A request rather answers 503 than wait longer. It
# may have waited two or three times as long before, for a thread whose request waited: connections
# that are kept stay with their process. Still it is answered within 2 s.
PATIENCE, WEB_PATIENCE = 20, 0.5
OF_TESTS = ("DATABASE_URL", "TEST_BROKER_URL", "LOG_LEVEL", "LOG_FORMAT")
# Ten seconds until the connections to a server fail that is gone without a word; one that is only
# slow still acknowledges.
KEEPALIVES = {"keepalives_idle": 4, "keepalives_interval": 2, "keepalives_count": 3}  # seconds
GONE_AFTER = {**KEEPALIVES, "tcp_user_timeout": 10_000}  # milliseconds
# The same of the server's side, and for a process that is frozen in a transaction: its locks go.
SERVER_GIVES_UP = {
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    **{f"tcp_{name}": value for name, value in KEEPALIVES.items()},
}
ADDRESS = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?(/[^\s?#]*)?")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
    "": None,
}


class Environment:
    """Reads a service's variables, from the environment first and then from its `.env` file."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.var = ROOT / "var" / service
        self.env = environ.FileAwareEnv()
        self.testing = sys.argv[1:2] == ["test"]
        self.web = sys.argv[1:2] == ["serve"]
        if self.testing:
            self.env.ENVIRON = FileAwareMapping(_of_tests())
        else:
            self.env.read_env(str(ROOT / service / ".env"))
        self.debug = self.flag("DEBUG", default=False)
        # Development secrets are public knowledge; they exist only where nothing is at stake.
        self.development = self.debug or self.testing

    def text(self, name: str, default: str) -> str:
        """A variable as it stands, without the newline that an editor leaves in a secret's file."""
        # Past django-environ's own parsing, which takes a value like `$x` for another variable's.
        return str(self.env.ENVIRON.get(name, default)).strip()

    def number(self, name: str, default: float, *, least: float = 0) -> float:
        """Raises ImproperlyConfigured for what is no number, or less than `least`."""
        value = self.text(name, "")
        try:
            number = float(value) if value else default
        except ValueError:
            number = math.nan
        if not least <= number < math.inf:
            raise ImproperlyConfigured(
                f"{self.service}: {name}={value} is not a number of at least {least}."
            )
        return number

    def count(self, name: str, default: int, *, least: int = 0) -> int:
        """A whole number. Raises ImproperlyConfigured for anything else."""
        number = self.number(name, default, least=least)
        if number != int(number):
            raise ImproperlyConfigured(f"{self.service}: {name}={number} is not a whole number.")
        return int(number)

    def flag(self, name: str, *, default: bool) -> bool:
        """On or off. Raises ImproperlyConfigured for what is neither: HTTPS=ture is not off."""
        value = self.text(name, "").lower()
        if value not in FLAGS:
            raise ImproperlyConfigured(f"{self.service}: {name}={value} is neither 1 nor 0.")
        answer = FLAGS[value]
        return default if answer is None else answer

    def address(self, name: str, default: str) -> str:
        """Where a service is, such as https://shop.example, without a last slash. Raises
        ImproperlyConfigured for what is no such address.
        """
        value = self.text(name, default).rstrip("/")
        if not ADDRESS.fullmatch(value):
            raise ImproperlyConfigured(
                f"{self.service}: {name}={value} is no address such as https://shop.example."
            )
        return value

    def items(self, name: str, default: list[str]) -> list[str]:
        parts = self.text(name, ",".join(default)).split(",")
        return [part.strip() for part in parts if part.strip()]

    def secret(self, name: str, development: str) -> str:
        """A secret's value; `development` is its value in development, production has no default.

        Raises ImproperlyConfigured, naming the variable, where it is missing in production.
        """
        value = self.text(name, development if self.development else "")
        if not value:
            raise ImproperlyConfigured(
                f"{self.service}: {name} is not set. Set {name} or {name}_FILE; "
                "for development on your own machine DEBUG=1 is enough."
            )
        return value

    def signing_secrets(self, name: str, development: str) -> list[str]:
        """A comma-separated list of Standard Webhooks secrets: `whsec_` and base64.

        Raises ImproperlyConfigured where one is malformed, rather than at the first webhook.
        """
        found = [item.strip() for item in self.secret(name, development).split(",")]
        for number, item in enumerate(found, 1):
            try:
                Webhook(item)
            except (ValueError, EmptyWebhookSecretError):  # which would show the secret
                raise ImproperlyConfigured(
                    f"{self.service}: the {number}. secret in {name} is not `whsec_` and base64."
                ) from None
        return found

    def log_level(self) -> str:
        """LOG_LEVEL; under test what is provoked on purpose is not shown. Raises
        ImproperlyConfigured for one that does not exist.
        """
        level = self.text("LOG_LEVEL", "CRITICAL" if self.testing else "INFO").upper()
        if level not in LOG_LEVELS:
            raise ImproperlyConfigured(
                f"{self.service}: LOG_LEVEL={level} is none of {', '.join(LOG_LEVELS)}."
            )
        return level

    def log_format(self) -> str:
        """LOG_FORMAT, json or console. Raises ImproperlyConfigured for anything else."""
        style = self.text("LOG_FORMAT", "console" if self.debug else "json")
        if style not in ("json", "console"):
            raise ImproperlyConfigured(
                f"{self.service}: LOG_FORMAT={style} is not json or console."
            )
        return style

    def hosts(self) -> list[str]:
        hosts = self.items("ALLOWED_HOSTS", DEVELOPMENT_HOSTS if self.development else [])
        if not hosts:
            raise ImproperlyConfigured(
                f"{self.service}: ALLOWED_HOSTS is not set. Set it to the host names that the "
                "service is reached by, separated by commas."
            )
        return hosts

    def database(self) -> dict[str, Any]:
        """Django's settings of the database at DATABASE_URL; SQLite below `var/` unless given."""
        config = self.env.db_url("DATABASE_URL", default=f"sqlite:///{self.var / 'db.sqlite3'}")
        usual = WEB_PATIENCE if self.web else PATIENCE
        patience = self.number("DATABASE_PATIENCE", usual)
        options = config.setdefault("OPTIONS", {})
        config["CONN_MAX_AGE"] = None
        config["CONN_HEALTH_CHECKS"] = True
        if config["ENGINE"].endswith("sqlite3"):
            config["ENGINE"] = "chassis.sqlite"
            if not self.testing:
                Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
            options.update(
                transaction_mode="IMMEDIATE",
                timeout=patience,
                init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            )
        else:
            config["ENGINE"] = "chassis.postgresql"
            server = {"lock_timeout": f"{patience * 1000:.0f}", **SERVER_GIVES_UP}
            options.update(
                connect_timeout=2,
                **GONE_AFTER,
                application_name=self.service,
                options=" ".join(f"-c {name}={value}" for name, value in server.items()),
            )
        return config

    def broker_url(self) -> str:
        """BROKER_URL; the embedded broker below `var/` unless given, in memory under test."""
        if self.testing:
            return self.text("TEST_BROKER_URL", "memory://")
        return self.text("BROKER_URL", f"embedded://{self.var / 'broker'}")

    def queue_prefix(self) -> str:
        """QUEUE_PREFIX; under test the run's own, so that no worker eats a test's message."""
        return f"test-{os.getpid()}." if self.testing else self.text("QUEUE_PREFIX", "")


def _of_tests() -> dict[str, str]:
    """The variables that a test sees: its servers and its logs, whatever is set where it runs.

    So they pass in a container of a running service too, whose settings are made for its work.
    """
    names = [name + file for name in OF_TESTS for file in ("", "_FILE")]
    return {name: os.environ[name] for name in names if name in os.environ}


def transport_options(broker_url: str) -> dict[str, Any]:
    """kombu's options for the broker: a publish to a frozen RabbitMQ must give up soon."""
    return {"write_timeout": 0.5} if broker_url.startswith("amqp") else {}


PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
TEST_PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests sign in a lot

# Sessions, messages and CSRF serve the admin alone: API calls pass them by (chassis.middleware).
MIDDLEWARE = [
    "chassis.logs.RequestMiddleware",
    "chassis.problems.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "chassis.middleware.AdminSessionMiddleware",
    "chassis.middleware.AdminCommonMiddleware",
    "chassis.middleware.AdminCsrfViewMiddleware",
    "chassis.middleware.AdminAuthenticationMiddleware",
    "chassis.middleware.AdminMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "chassis" / "templates"],  # before unfold's own
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

SILENCED_SYSTEM_CHECKS = [
    # The admin has CSRF protection, by a subclass that the check does not know; the API needs none.
    "security.W003",
    # The proxy that ends TLS redirects; here it would break plain calls between the services.
    "security.W008",
]
HSTS_SECONDS = 30 * 24 * 3600


def rest_framework(*, trusted_proxies: int) -> dict[str, Any]:
    """Django REST framework's settings: JSON alone, errors as RFC 9457, nothing open by default."""
    return {
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["chassis.bodies.LimitedJSONParser"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_PAGINATION_CLASS": "chassis.api.NewestFirst",
        "DEFAULT_METADATA_CLASS": "chassis.api.NoMetadata",
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "chassis.api.Negotiation",
        "URL_FORMAT_OVERRIDE": None,  # ?format=x is an unknown parameter, not an unknown path
        "DEFAULT_SCHEMA_CLASS": "chassis.openapi.AutoSchema",
        "SCHEMA_COERCE_PATH_PK": False,
        "EXCEPTION_HANDLER": "chassis.problems.exception_handler",
        "UNAUTHENTICATED_USER": None,
        "COERCE_DECIMAL_TO_STRING": True,
        "NUM_PROXIES": trusted_proxies,
    }
