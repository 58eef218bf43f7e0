"""The checklists package as a Django application."""

from django.apps import AppConfig


class ChecklistsConfig(AppConfig):
    """Register the models, checks and translations of checklists."""

    name = "checklists"
    default_auto_field = "django.db.models.BigAutoField"
