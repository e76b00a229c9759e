"""Settings, from the environment. Fails loudly, and names the variable at fault."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from clawgroups.core.model_servers import read_environment

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env("CLAWGROUPS_DATA", default=str(BASE_DIR / "var"))).resolve()
BASE_URL = env("CLAWGROUPS_BASE_URL", default=f"http://127.0.0.1:{env('PORT', default='8000')}").rstrip("/")
_BASE = urlsplit(BASE_URL)
if _BASE.scheme not in ("http", "https") or not _BASE.hostname:
    raise ImproperlyConfigured("CLAWGROUPS_BASE_URL must be like https://claw.example.org")
if _BASE.port == {"http": 80, "https": 443}[_BASE.scheme]:
    # A browser leaves the default port out of an origin (PORT=80 makes such an address).
    _BASE = _BASE._replace(netloc=_BASE.netloc.rpartition(":")[0])
    BASE_URL = _BASE.geturl()

DEBUG = False
EMBEDDED = "DATABASE_URL" not in env.ENVIRON
_SECRET_FILE = DATA_DIR / "secret.key"
SECRET_KEY = env("CLAWGROUPS_SECRET_KEY", default="") or (
    _SECRET_FILE.read_text().strip() if _SECRET_FILE.exists() else ""
)
if not SECRET_KEY:
    raise ImproperlyConfigured("Set CLAWGROUPS_SECRET_KEY (`make run` makes one in the data folder).")
# Secrets of before: what was signed or sealed by them is still read.
SECRET_KEY_FALLBACKS = env.list("CLAWGROUPS_SECRET_KEY_FALLBACKS", default=[])

LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = env.list("CLAWGROUPS_ALLOWED_HOSTS", default=[]) or [
    _BASE.hostname,
    *(LOCAL_HOSTS if _BASE.hostname in LOCAL_HOSTS else []),
]


def _origin(scheme: str, host: str) -> str:
    return f"{scheme}://{host}" + (f":{_BASE.port}" if _BASE.port else "")


# Exact origins (scheme, host and port) for browsers' sockets and CSRF.
ORIGINS = env.list("CLAWGROUPS_ORIGINS", default=[]) or (
    [_origin(_BASE.scheme, h) for h in LOCAL_HOSTS] if _BASE.hostname in LOCAL_HOSTS else [BASE_URL]
)
CSRF_TRUSTED_ORIGINS = ORIGINS
# Another origin of this server, for web pages and PDFs that are looked at: nobody signs in there, and no other page is
# served. Without it they are in a sandbox of the browser, and PDFs are only downloaded (on one's own machine its other
# name is taken).
SANDBOX_URL = env("CLAWGROUPS_SANDBOX_URL", default="").rstrip("/")
if SANDBOX_URL and urlsplit(SANDBOX_URL).hostname not in ALLOWED_HOSTS:
    ALLOWED_HOSTS.append(str(urlsplit(SANDBOX_URL).hostname))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "channels",
    "csp",
    "django_htmx",
    "ninja",
    "agents",
    "clawgroups",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "clawgroups.web.apart.ApartMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "clawgroups.web.language.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "clawgroups.web.seen.SeenMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "clawgroups.web.unkept.UnkeptMiddleware",
    "clawgroups.web.errors.ErrorMiddleware",
]
ROOT_URLCONF = "clawgroups.urls"
ASGI_APPLICATION = "clawgroups.asgi.application"
_TAGS = [
    f"clawgroups.web.{name}" for name in ("tags", "word_tags", "number_tags", "message_tags", "task_tags", "ask_tags")
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
                "clawgroups.web.context.site",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "clawgroups.assets",
                *_TAGS,
            ],
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'clawgroups.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    # A file, never memory: the writer has a connection of its own.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    from clawgroups.postgres import Connection

    # No statement, lock or dead connection holds a thread for longer (a thread cannot be stopped from outside);
    # what DATABASE_URL says of these stands.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 10,
        "tcp_user_timeout": 30_000,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "options": "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
        # Planning took PostgreSQL more time than what was planned: what is asked again is planned once.
        "server_side_binding": True,
        "prepare_threshold": 2,
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": 16, "timeout": 10, "connection_class": Connection},
    }
    # After a restart of the server the pool would hand its dead connections out, one per request.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env("REDIS_URL", default="")

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_ADAPTER = "clawgroups.web.adapter.AccountAdapter"
ACCOUNT_SESSION_REMEMBER = True
# Attempts are counted where every process sees them, and none of it is lost with Redis (see docs/accounts.md).
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "clawgroups_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
_BEHIND_PROXY = env.bool("CLAWGROUPS_BEHIND_PROXY", False)
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if _BEHIND_PROXY else 0
# Wrong passwords and codes: from one address, for one account from one address (see `AccountAdapter`).
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/300s/key", "login_in_all": "100/h/key"}

# The second factor, and passkeys: they are of the host of CLAWGROUPS_BASE_URL, and need its TLS (or http://localhost).
MFA_ADAPTER = "clawgroups.web.factors.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Accounts need no address here, so that an unconfirmed one keeps nobody from protecting theirs.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Claw Groups"
MFA_TOTP_TOLERANCE = 1
USERSESSIONS_ADAPTER = "clawgroups.web.factors.SessionsAdapter"
# Whether the administration asks staff for a second factor.
_SAID = env("CLAWGROUPS_ADMIN_MFA", default="")
ADMIN_MFA = env.bool("CLAWGROUPS_ADMIN_MFA") if _SAID else _BASE.scheme == "https"

# A provider of OpenID Connect, where the environment names one.
OIDC_URL = env("CLAWGROUPS_OIDC_URL", default="").rstrip("/")
OIDC_NAME = env("CLAWGROUPS_OIDC_NAME", default="") or "OpenID Connect"
OIDC_SIGNUP = env.bool("CLAWGROUPS_OIDC_SIGNUP", default=False)
SOCIALACCOUNT_ADAPTER = "clawgroups.web.oidc.OutsideAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_PROVIDERS: dict[str, object] = {}
if OIDC_URL:
    _CLIENT, _SECRET = (env(f"CLAWGROUPS_OIDC_CLIENT_{name}", default="") for name in ("ID", "SECRET"))
    if not (_CLIENT and _SECRET) or urlsplit(OIDC_URL).scheme not in ("http", "https"):
        raise ImproperlyConfigured("CLAWGROUPS_OIDC_URL needs https://…, _CLIENT_ID and _CLIENT_SECRET beside it.")
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": OIDC_NAME,
                "client_id": _CLIENT,
                "secret": _SECRET,
                "settings": {"server_url": OIDC_URL},
            }
        ],
    }
EMAIL_CONFIG = env.email("EMAIL_URL", default="dummymail://")
vars().update(EMAIL_CONFIG)
SENDS_LETTERS = not EMAIL_CONFIG["EMAIL_BACKEND"].endswith(".dummy.EmailBackend")
# Whom letters are from; and the seconds that a mail server may take for one answer.
DEFAULT_FROM_EMAIL = env("CLAWGROUPS_MAIL_FROM", default="") or f"Claw Groups <claw-groups@{_BASE.hostname}>"
EMAIL_TIMEOUT = EMAIL_CONFIG.get("EMAIL_TIMEOUT", 10)

_TLS = _BASE.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _TLS
SESSION_COOKIE_NAME = "__Host-claw_session" if _TLS else "claw_session"
CSRF_COOKIE_NAME = "__Host-claw_csrf" if _TLS else "claw_csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if _TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _BEHIND_PROXY else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "img-src": [SELF, "data:"],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "clawgroups.assets.Storage"},
}
# What `manage.py prepare` has not collected is served as it lies there, too.
WHITENOISE_USE_FINDERS = True
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
MEDIA_ROOT = DATA_DIR / "files"
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
# A small table is a form with a field for each cell (core.delimited_edit).
DATA_UPLOAD_MAX_NUMBER_FIELDS = 7000

LANGUAGE_CODE = "en"
# Each called by its own name: whoever looks for theirs may read no other.
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "claw_language"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# Limits on what people and agents send.
MAX_UPLOAD_BYTES = env.int("CLAWGROUPS_MAX_UPLOAD_MB", default=100) * 1024 * 1024
MAX_TASKS = 4000
# Agents that we dial: whether all of them may be in a private network, and whether any may be without TLS.
DIAL_PRIVATE = env.bool("CLAWGROUPS_DIAL_PRIVATE", default=False)
DIAL_PLAIN = env.bool("CLAWGROUPS_DIAL_PLAIN", default=False)
# The model that plans, where the environment names one (CLAWGROUPS_COORDINATOR_*); others are added in the pages.
try:
    COORDINATOR = read_environment(env.ENVIRON)
except ValueError as wrong:
    raise ImproperlyConfigured(str(wrong)) from None
CLOCK_SCALE = env.float("CLAWGROUPS_CLOCK_SCALE", default=1.0)

CELERY_BROKER_URL = REDIS_URL or "memory://"
CREDIT = env("CLAWGROUPS_MODEL_CREDIT", default="")
SIGNUP_OPEN = env.bool("CLAWGROUPS_SIGNUP", default=False)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL", default="INFO")},
}
