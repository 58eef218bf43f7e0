"""The service's own settings, with the routes of the references and nothing else in the way."""

from clinic.settings import *  # noqa: F403

ROOT_URLCONF = "bench.naive.urls"
MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
SILENCED_SYSTEM_CHECKS = ["security", "clinic.E001", "clinic.E003"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["clinic.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
