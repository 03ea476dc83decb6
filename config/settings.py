"""Clarion's settings: one file, every value from the environment or the same everywhere.

The README's table of configuration explains the variables.
"""

from pathlib import Path
from typing import Any, cast

import dj_database_url
import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from config.appearance import UNFOLD as UNFOLD_APPEARANCE
from config.env import BASE_DIR, env, pairs, read_running_stack, var_dir
from config.logging import LOGGING as LOGGING_TREE

django_stubs_ext.monkeypatch()
read_running_stack()

CLARION_VAR: Path = var_dir()
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "")
DATABASE_URL = env.str("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
for _name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
    if not globals()[_name]:
        raise ImproperlyConfigured(f"{_name} is not set. Set it, or start everything with `make run`.")

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
BEHIND_HTTPS = env.bool("BEHIND_HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_HTTPS else 0
X_FRAME_OPTIONS = "DENY"

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = True

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_filters",
    "django_structlog",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "config.apps.ClarionConfig",
    "customers",
    "campaigns",
    "messaging",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.csp.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Database -------------------------------------------------------------------------------------------------------
# A connection a thread, looked at before it is used again. Not psycopg's pool: after a restart of PostgreSQL it tries
# its dead connections one by one with growing pauses (the next query took 6.3 s after four, and failed after eight).
DATABASES: dict[str, Any] = {"default": dj_database_url.parse(DATABASE_URL)}
_options: dict[str, Any] = DATABASES["default"].get("OPTIONS", {})
DATABASES["default"] |= {
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": _options
    | {
        "options": f"-c lock_timeout=15s -c timezone=UTC {_options.get('options', '')}".rstrip(),
        "application_name": "clarion",
        "connect_timeout": 10,
    },
    "TEST": {"NAME": f"test_clarion{env.str('CLARION_TEST_SUFFIX', '')}"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Time, language, static files -----------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Served from the packages themselves, so that nothing needs to be collected on a bare machine.
WHITENOISE_USE_FINDERS = True

# --- Who may do what ------------------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "style-src": ["'self'", "'unsafe-inline'"],
        # config/csp.py adds what the admin's pages need, there only.
        "script-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

UNFOLD = UNFOLD_APPEARANCE

# --- API ------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.permissions.ModelPermissions"],
    "DEFAULT_PARSER_CLASSES": ["config.parsing.LimitedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.paging.Paging",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.AutoSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DATETIME_FORMAT": "iso-8601",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    # `?format=` is a parameter like any other; only the schema has one.
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "config.errors.ExceptionHandler",
    "EXCEPTION_FORMATTER_CLASS": "config.errors.ExceptionFormatter",
    "ALLOWED_ERROR_STATUS_CODES": ["400", "401", "403", "404", "405", "406", "409", "413", "415"],
    "ERROR_SCHEMAS": {
        "400": "config.errors.RefusalSerializer",
        "409": "config.errors.ConflictSerializer",
        "413": "config.errors.TooLargeSerializer",
    },
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Clarion",
    "DESCRIPTION": "Personalised SMS and WhatsApp campaigns. See docs/api.md for the walk of one send.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Its default is a validator on the internet.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "ENUM_NAME_OVERRIDES": {
        "CampaignStatusEnum": "campaigns.models.Status",
        "MessageStatusEnum": "messaging.models.Status",
        "MessageReasonEnum": "messaging.reasons.Reason",
        "ChannelEnum": "customers.models.Channel",
        "ConsentStateEnum": "customers.models.ConsentState",
        "ClientErrorEnum": "drf_standardized_errors.openapi_serializers.ClientErrorEnum",
        **{
            f"ErrorCode{status}Enum": f"drf_standardized_errors.openapi_serializers.ErrorCode{status}Enum"
            for status in (401, 403, 404, 405, 406, 415)
        },
        "RefusalTypeEnum": "config.errors.REFUSAL_TYPES",
        "ErrorCode409Enum": "config.errors.CONFLICT_CODES",
        "ErrorCode413Enum": "config.errors.TOO_LARGE_CODES",
    },
    "POSTPROCESSING_HOOKS": ["drf_standardized_errors.openapi_hooks.postprocess_schema_enums"],
}
KNOX_TOKEN_MODEL = "config.ApiToken"  # noqa: S105 (a model, not a password)
# Its own migrations make its own table all the same, which nothing would fill.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": None}
# The largest body, of an API call as of a form; 100,000 customer ids of 19 digits take 2 MB.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- Celery: Redis is the doorbell, PostgreSQL the truth --------------------------------------------------------------
# kombu spells a unix socket differently from redis-py; we keep redis-py's spelling in REDIS_URL.
CELERY_BROKER_URL = (
    REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
BROKER_VISIBILITY_SECONDS = 600
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": BROKER_VISIBILITY_SECONDS,
    "unacked_restore_interval": 5,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "global_keyprefix": env.str("REDIS_PREFIX", ""),
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "deliver"
CELERY_TASK_ROUTES = {
    "messaging.deliver": {"queue": "deliver"},
    "messaging.launch": {"queue": "launch"},
    "messaging.start": {"queue": "sweep"},
    "messaging.sweep": {"queue": "sweep"},
    "messaging.hooks": {"queue": "sweep"},
}
# A bell that cannot be rung is left to the sweep, not waited for.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 5
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 1.0)
# A worker touches it every two seconds while it is connected: for health checks that must not start a Python.
WORKER_HEARTBEAT_FILE = env.str("WORKER_HEARTBEAT_FILE", "")
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "messaging.sweep",
        "schedule": SWEEP_SECONDS,
        # A sweep that nobody ran in time is of no use: a later one does the same.
        "options": {"expires": 30.0},
    }
}

# --- Clarion --------------------------------------------------------------------------------------------------------
DEFAULT_PHONE_REGION = env.str("DEFAULT_PHONE_REGION", "KE")
# Whether nobody is written to who has not opted in; without it only those who opted out are left alone.
REQUIRE_OPT_IN = env.bool("REQUIRE_OPT_IN", False)
DEMO_CUSTOMERS = env.int("DEMO_CUSTOMERS", 10_000)
MESSAGE_RETRY_LIMIT = env.int("MESSAGE_RETRY_LIMIT", 5)
MESSAGE_RETRY_BASE_SECONDS = env.float("MESSAGE_RETRY_BASE_SECONDS", 30.0)
MESSAGE_RETRY_CAP_SECONDS = env.float("MESSAGE_RETRY_CAP_SECONDS", 3_600.0)

# Where vendors reach us, without a path: https://clarion.example.com. Receipts are asked for when it is set.
PUBLIC_URL = env.str("PUBLIC_URL", "").rstrip("/")

# {alias: {"BACKEND": dotted path, "OPTIONS": {constructor arguments}}}, as Django's CACHES.
MESSAGE_PROVIDERS: dict[str, Any] = {
    "console": {"BACKEND": "messaging.providers.console.Console"},
    "memory": {"BACKEND": "messaging.providers.memory.Memory"},
    "simulator": {
        "BACKEND": "messaging.providers.simulator.Simulator",
        "OPTIONS": {
            "log": str(CLARION_VAR / "simulator.jsonl"),
            "receipts": {"delivered": 0.7, "read": 0.2, "failed": 0.02},
            "secret": salted_hmac("simulator", "", secret=SECRET_KEY).hexdigest(),
        },
    },
} | cast(dict[str, Any], env.json("MESSAGE_PROVIDERS", {}))
# The alias that serves each channel.
MESSAGE_ROUTES: dict[str, str] = pairs(env.str("MESSAGE_ROUTES", ""))

# Fernet keys for the credentials of senders: the first writes, all read; beside them what SECRET_KEY stands for.
SECRETS_KEYS: list[str] = env.list("SECRETS_KEYS", [])

# Dotted paths of functions called with each alert, beside the log and the e-mail to ADMINS.
ALERT_HOOKS: list[str] = env.list("ALERT_HOOKS", [])
_admins: list[str] = env.list("ADMINS", [])
ADMINS = [(address, address) for address in _admins]
SERVER_EMAIL = DEFAULT_FROM_EMAIL = env.str("SERVER_EMAIL", "clarion@localhost")
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if env.str("EMAIL_HOST", "")
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_HOST = env.str("EMAIL_HOST", "localhost")
EMAIL_PORT = env.int("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10

LOGGING_CONFIG = "config.logging.configure"
LOGGING = LOGGING_TREE
