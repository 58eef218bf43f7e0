"""Write the signed link of a page as its message is rendered, so that no token is ever stored."""

from django import template

from complications.actions.links import link_token

register = template.Library()


@register.filter
def acknowledge_path(link: str) -> str:
    """Return the path at which the person of this link takes responsibility."""
    return f"/a/{link_token(link)}/"
