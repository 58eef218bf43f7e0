"""The clinic package as a Django application."""

from django.apps import AppConfig


class ClinicConfig(AppConfig):
    """Register the models, checks and translations of clinic."""

    name = "clinic"
    default_auto_field = "django.db.models.BigAutoField"
