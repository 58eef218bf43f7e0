"""The clinic package as a Django application."""

from django.apps import AppConfig


class ClinicConfig(AppConfig):
    """Register the models, checks and translations of the ground floor."""

    name = "clinic"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the start-up checks."""
        from clinic import checks  # noqa: F401
