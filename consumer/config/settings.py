"""The consumer's settings: one file, read from the environment; `.env.example` lists every
variable.
"""

from pathlib import Path

from chassis import settings as base
from chassis.admin_settings import unfold
from chassis.logs import logging_config
from chassis.openapi_settings import spectacular
from chassis.worker import ring_queue, work_queue

BASE_DIR = Path(__file__).resolve().parent.parent
env = base.Environment("consumer")

DEBUG = env.debug
SECRET_KEY = env.secret("SECRET_KEY", "insecure-development-secret-key-of-the-consumer")
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS", [])
ALLOWED_HOSTS = env.hosts()
HTTPS = env.flag("HTTPS", default=not env.development)
TRUSTED_PROXIES = env.count("TRUSTED_PROXIES", 0)
WEB_WORKERS = env.count("WEB_WORKERS", 1, least=1)
WEB_THREADS = env.count("WEB_THREADS", 8, least=1)

# The other service: where it is, the key that opens it, the key that it opens this one with.
PRODUCER_URL = env.address("PRODUCER_URL", "http://127.0.0.1:7000")
PRODUCER_API_KEY = env.secret("PRODUCER_API_KEY", "producer.insecure-development-key")
SERVICE_API_KEY = env.secret("SERVICE_API_KEY", "consumer.insecure-development-key")
# Where results may be posted besides public addresses; these alone get a signature.
WEBHOOK_ALLOWED_ORIGINS = env.items(
    "WEBHOOK_ALLOWED_ORIGINS",
    [PRODUCER_URL, "http://127.0.0.1:7000"] if env.development else [PRODUCER_URL],
)
WEBHOOK_SIGNING_SECRETS = env.signing_secrets(
    "WEBHOOK_SIGNING_SECRETS", "whsec_aW5zZWN1cmUtZGV2ZWxvcG1lbnQ="
)
WEBHOOK_THREADS = env.count("WEBHOOK_THREADS", 64, least=1)
SCOPED_KEY_MODEL = "messaging.TaskAPIKey"
RETENTION_DAYS = env.number("RETENTION_DAYS", 30)
METRICS_TOKEN = env.text("METRICS_TOKEN", "")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_api_key",
    "django_celery_results",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "chassis",
    "messaging",
]
MIDDLEWARE = base.MIDDLEWARE
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = base.TEMPLATES
TEST_RUNNER = "chassis.testing.Runner"
DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = base.AUTH_PASSWORD_VALIDATORS
PASSWORD_HASHERS = base.TEST_PASSWORD_HASHERS if env.testing else base.PASSWORD_HASHERS
REST_FRAMEWORK = base.rest_framework(trusted_proxies=TRUSTED_PROXIES)
SPECTACULAR_SETTINGS = spectacular(
    title="Consumer: messages",
    description="Does the work that a message asks for, as a task, and posts the task's result to "
    "the message's `webhook_url`. For services: every call wants an API key.",
    local="http://127.0.0.1:8000",
    tags={
        "messages": "Work to be done",
        "tasks": "Its results, and their deliveries",
    },
    webhooks=["messaging.schema_webhook.RESULT"],
)

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False  # one language: nothing is looked up in a catalogue
FORMAT_MODULE_PATH = "chassis.formats"  # the admin shows times to the second, in UTC
UNFOLD = unfold(
    title="Consumer",
    about="Messages and their delivery",
    symbol="outbox",
    dashboard="messaging.dashboard.add_to",
)
STATIC_URL = "static/"
# Images have the folder and collect the admin's files there; a checkout serves them where they are.
STATIC_ROOT = BASE_DIR / "staticfiles" if (BASE_DIR / "staticfiles").exists() else None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = DEBUG or env.testing  # or each test's client looks at all files anew

SILENCED_SYSTEM_CHECKS = base.SILENCED_SYSTEM_CHECKS
# A browser tells hosts apart, not ports: both admins on one host need cookies of their own.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "consumer_session", "consumer_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = base.HSTS_SECONDS if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS", [])
LOGGING = logging_config(env.log_level(), env.log_format())

QUEUE_PREFIX = env.queue_prefix()
CELERY_BROKER_URL = env.broker_url()
CELERY_BROKER_TRANSPORT_OPTIONS = base.transport_options(CELERY_BROKER_URL)
SAFETY_RINGS = [  # task, its queue, seconds between rings
    ("messaging.publish_due", "consumer.sweep", 1),
    ("messaging.deliver_results", "consumer.webhooks", 1),
    ("messaging.prune", "consumer.prune", 60),
    ("messaging.follow_clock", "consumer.clock", 10),
]
CELERY_TASK_QUEUES = [
    work_queue(QUEUE_PREFIX + "consumer.process"),
    *(ring_queue(QUEUE_PREFIX + queue) for _, queue, _ in SAFETY_RINGS),
]
CELERY_TASK_DEFAULT_QUEUE = QUEUE_PREFIX + "consumer.process"
CELERY_RESULT_BACKEND = "messaging.results:ResultBackend"
CELERY_RESULT_BACKEND_ALWAYS_RETRY = True  # a result waits for the database to come back
CELERY_RESULT_BACKEND_MAX_SLEEP_BETWEEN_RETRIES_MS = 1000
