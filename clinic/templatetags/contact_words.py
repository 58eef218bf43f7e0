"""Write the code of a contact point as its message is rendered, so that it is never stored."""

from django import template

from clinic.actions.contacts import contact_code
from clinic.models import ContactPoint

register = template.Library()


@register.filter
def code(point: ContactPoint | None) -> str:
    """Return the six digits in two groups."""
    digits = contact_code(point) if point else "------"
    return f"{digits[:3]} {digits[3:]}"
