"""How a person wants to see the pages."""

from datetime import datetime

from clinic.actions.audit import recording
from clinic.models import Actor, User


def set_preferences(*, user: User, theme: str, language: str, by: Actor, now: datetime) -> None:
    """Store the person's theme (light, dark, auto) and language; the same again changes nothing."""
    if (user.theme, user.language) == (theme, language):
        return
    with recording(by=by, now=now) as trail:
        User.objects.filter(pk=user.pk).update(theme=theme, language=language)
        trail.add(
            stream=f"user:{user.public_id}",
            action="preferences.set",
            subject=f"user:{user.public_id}",
            data={"theme": theme, "language": language},
        )
