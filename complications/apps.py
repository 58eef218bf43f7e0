"""The complications package as a Django application."""

from django.apps import AppConfig


class ComplicationsConfig(AppConfig):
    """Register the models, checks and translations of complications."""

    name = "complications"
    default_auto_field = "django.db.models.BigAutoField"
