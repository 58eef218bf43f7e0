"""The one settings file; values come from the environment through typed readers."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from clinic.lib import env
from clinic.lib.embedded.places import APP, OWNER, Places

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".data"))).resolve()
PLACES = Places(DATA_DIR)

DEBUG = env.flag("DEBUG", default=False)
DEMO = env.flag("DEMO", default=True)
# Made by the first start. Without one (a check, a migration by hand) every process gets its own: fine, since only the
# web needs it to last, and `check --deploy` refuses it.
SECRET_KEY = env.text("SECRET_KEY", PLACES.known_secret("secret-key") or "not-set-" + os.urandom(32).hex())
# Keys of yesterday: what a tablet signed for before the key changed still says whose it is.
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS", [])
BASE_URL = env.text("BASE_URL", "http://127.0.0.1:8000")
_address = urlsplit(BASE_URL)
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]", _address.hostname or "localhost"])

# Behind a proxy with certificates (BASE_URL says https): everything that TLS makes possible. The proxy must set
# X-Forwarded-Proto itself and never pass on a client's.
TLS = _address.scheme == "https"
SECURE_SSL_REDIRECT = TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TLS else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = TLS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = TLS
SESSION_COOKIE_NAME = "__Host-session" if TLS else "session"
CSRF_COOKIE_NAME = "__Host-csrftoken" if TLS else "csrftoken"
CSRF_TRUSTED_ORIGINS = [BASE_URL] if TLS else []
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# A hospital's name does not belong on a list inside every browser.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

# The house, ground floor first: routes, exports and beat entries are found through these names.
HOUSE = ["clinic", "complications", "checklists"]
# What the upper floors put into a database once it is migrated: management commands, named by strings only.
PREPARE = [["definitions", "publish"]]
# What can be exported: dotted strings of each package's datasets, and of the audit streams that upper floors own.
EXPORTS = ["clinic.exports.ground.DATASETS", "complications.exports.DATASETS", "checklists.exports.DATASETS"]
AUDIT_STREAMS = ["complications.exports.AUDIT_STREAMS", "checklists.exports.AUDIT_STREAMS"]
# Dotted strings of the probes that /healthz asks, on whatever floor they live.
HEALTH_PROBES: list[str] = ["complications.queries.engine_health"]
# Dotted strings of what each floor tells a monitoring system at /metrics.
METRIC_SOURCES = [f"{package}.queries.metrics.families" for package in HOUSE]
# The bearer secret of that system; without one only API tokens with metrics:read and administrators get in.
METRICS_TOKEN = env.secret("METRICS_TOKEN", least=24)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    *HOUSE,
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "clinic.middleware.StaticMiddleware",
    "clinic.middleware.HeadersMiddleware",
    "clinic.middleware.SessionCookieMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "clinic.middleware.RequestIdMiddleware",
    "clinic.middleware.SecondFactorMiddleware",
    "clinic.middleware.MatrixMiddleware",
    "clinic.middleware.ReaderMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "clinic.urls"
WSGI_APPLICATION = "clinic.wsgi.application"
AUTH_USER_MODEL = "clinic.User"
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
                "clinic.context_processors.frame",
            ],
        },
    },
]

# Two roles: the service works as the app's, only migrations (DATABASE_ROLE=owner, set by manage.py) use the owner's.
# Without a URL both are those of the embedded server in the data directory.
DATABASE_URL = env.text("DATABASE_URL", PLACES.database_url(APP))
if env.text("DATABASE_ROLE", "app") == "owner":
    DATABASES = {"default": env.database(env.owner_url(PLACES.database_url(OWNER)))}
else:
    DATABASES = {"default": env.database(DATABASE_URL)}
REDIS_URL = env.text("REDIS_URL", PLACES.redis_url())

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Outgoing mail; without EMAIL_HOST the demo's messages are read on its inbox page.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.number("EMAIL_PORT", default=587, low=1, high=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=True)
# Seconds for one answer of a mail server, and for a whole delivery by mail; both end before `SEND_WITHIN_S`.
EMAIL_TIMEOUT = 8
DELIVERY_SECONDS = 10
EMAIL_BACKEND = "clinic.lib.mail.EmailBackend"
EMAIL_DOMAIN = env.text("EMAIL_DOMAIN", "localhost")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"paging@{EMAIL_DOMAIN}")

# Text messages, by the gateway's HTTP interface; without SMS_URL none are sent.
SMS_URL = env.url("SMS_URL")
SMS_METHOD = env.choice("SMS_METHOD", "POST", ["POST", "GET", "PUT"])
SMS_FORMAT = env.choice("SMS_FORMAT", "json", ["json", "form", "query"])
SMS_FIELDS = env.mapping("SMS_FIELDS", {"to": "{to}", "text": "{text}"})
SMS_HEADERS = env.mapping("SMS_HEADERS", {})
SMS_OK_PATH = env.text("SMS_OK_PATH", "")
SMS_OK_VALUES = env.items("SMS_OK_VALUES", ["ok", "accepted", "queued", "sent", "0", "00", "true"])
SMS_BAD_NUMBER_VALUES = env.items("SMS_BAD_NUMBER_VALUES", [])
SMS_ID_PATH = env.text("SMS_ID_PATH", "")
SMS_RECEIPT_FIELD = env.text("SMS_RECEIPT_FIELD", "status")
SMS_RECEIPT_DELIVERED = env.items("SMS_RECEIPT_DELIVERED", ["delivered", "DELIVRD"])
SMS_RECEIPT_FAILED = env.items(
    "SMS_RECEIPT_FAILED", ["failed", "undelivered", "expired", "rejected", "UNDELIV", "EXPIRED", "REJECTD"]
)

# Web Push: the key that `manage.py prepare` makes, and the push services of the browsers.
VAPID_PRIVATE_KEY = env.text("VAPID_PRIVATE_KEY", PLACES.known_secret("vapid-key"))
VAPID_SUBJECT = env.text("VAPID_SUBJECT", DEFAULT_FROM_EMAIL if "." in EMAIL_DOMAIN else "paging@example.org")
PUSH_HOSTS = env.items(
    "PUSH_HOSTS",
    [
        "fcm.googleapis.com",
        "android.googleapis.com",
        ".push.services.mozilla.com",
        ".push.apple.com",
        ".notify.windows.com",
    ],
)

# Webhooks and other services are off until their hosts and kinds are listed here.
WEBHOOK_HOSTS = env.items("WEBHOOK_HOSTS", [])
APPRISE_SCHEMES = [scheme.lower() for scheme in env.items("APPRISE_SCHEMES", [])]
# Webhooks and push endpoints name an address that somebody typed: none inside the house, unless this says so.
ALLOW_PRIVATE_ADDRESSES = env.flag("ALLOW_PRIVATE_ADDRESSES", default=False)

MFA_REQUIRED = env.flag("MFA_REQUIRED", default=not DEMO)
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_ADAPTER = "clinic.pages.log_in.AccountAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("tr", "Türkçe")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
# Tests serve the files as they lie in the packages; the service serves hashed copies that `manage.py prepare` collects.
TESTS = env.flag("CLINIC_TESTS", default=False)
WHITENOISE_USE_FINDERS = TESTS
WHITENOISE_ALLOW_ALL_ORIGINS = False
# What is joined into one script and one sheet, because its page must start fast (clinic/lib/bundles.py).
STATIC_BUNDLES = {
    "checklists/run-page": {
        "script": "checklists/run.js",
        "sheets": ["clinic/tokens.css", "clinic/components.css", "clinic/run.css", "checklists/tablet.css"],
    },
    "complications/bedside-page": {
        "script": "complications/bedside.js",
        "sheets": ["clinic/tokens.css", "clinic/components.css", "clinic/phone.css"],
    },
}
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.AppDirectoriesFinder", "clinic.lib.bundles.BundleFinder"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTS
        else "clinic.lib.static.HashedStaticFiles"
    },
}

# One line of JSON for each event, without patient data (clinic/lib/logs.py).
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "clinic.lib.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO").upper()},
    "loggers": {
        "django": {"handlers": [], "propagate": True, "level": "INFO"},
        # Its warnings repeat the address that somebody typed.
        "django.request": {"level": "ERROR"},
        "django.server": {"handlers": [], "propagate": True},
    },
}

CELERY_BROKER_URL = REDIS_URL
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# The connection outlives the task: clinic/celery.py closes one that was lost.
CELERY_DB_REUSE_MAX = 10**9
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 27
CELERY_TASK_TIME_LIMIT = 30
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# The visibility timeout must exceed the hard time limit, or a running task is handed out twice.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "health_check_interval": 10,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
# The second net: whatever the watchman's wake-up missed is found here. A sweep that waited too long is dropped.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "sweep": {"task": "complications.sweep", "schedule": 2.0, "options": {"expires": 10}},
    "remind": {"task": "complications.remind", "schedule": 5.0, "options": {"expires": 20}},
    "sweep-plans": {"task": "complications.sweep_plans", "schedule": 60.0, "options": {"expires": 60}},
    "tell-swaps": {"task": "complications.tell_swaps", "schedule": 60.0, "options": {"expires": 60}},
    "check-coverage": {"task": "complications.check_coverage", "schedule": 600.0, "options": {"expires": 500}},
    "abandoned-exports": {"task": "clinic.end_abandoned_exports", "schedule": 300.0, "options": {"expires": 200}},
    "sweep-unsigned": {"task": "checklists.sweep_unsigned", "schedule": 60.0, "options": {"expires": 60}},
    "remind-lists": {"task": "checklists.remind", "schedule": 30.0, "options": {"expires": 60}},
    "audit-checkpoint": {"task": "clinic.checkpoint_audit", "schedule": 900.0, "options": {"expires": 600}},
}
# Fetched by the watchman after each clean look at everything open: a dead man's switch outside the house.
HEARTBEAT_URL = env.text("HEARTBEAT_URL", "")

# The key of stored pseudonyms: losing it loses the way from a pseudonym back to a person.
PSEUDONYM_KEY = env.text("PSEUDONYM_KEY", PLACES.known_secret("pseudonym-key") or SECRET_KEY)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "clinic.api.authentication.TokenAuthentication",
        "clinic.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["clinic.api.permissions.MatrixPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "clinic.api.schema.Described",
    # `format` is a parameter of the exports, not a way to choose a renderer.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "clinic.api.problems.problem_response",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Vertebral augmentation service",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "clinic.api.schema.add_problem"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # The tests of the schema say the same, with every view's name.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}
