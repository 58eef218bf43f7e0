"""Light or dark, English or Turkish: kept with the person, before log-in with the device."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from clinic.access import Caller
from clinic.actions.preferences import set_preferences
from clinic.lib.clock import database_now

THEMES = {"light", "dark", "auto"}
YEAR_S = 365 * 24 * 3600


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep the choice and go back to where it was made."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    languages = {code for code, _ in settings.LANGUAGES}
    theme = request.POST.get("theme", "")
    language = request.POST.get("language", "")
    if caller.user:
        set_preferences(
            user=caller.user,
            theme=theme if theme in THEMES else caller.user.theme,
            language=language if language in languages else caller.user.language,
            by=caller.actor(),
            now=database_now(),
        )
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = "/"
    response = HttpResponseRedirect(back)
    if theme in THEMES:
        response.set_cookie("theme", theme, max_age=YEAR_S, secure=request.is_secure(), samesite="Lax")
    if language in languages:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=YEAR_S, secure=request.is_secure(), samesite="Lax"
        )
    return response
