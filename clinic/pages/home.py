"""The start page: for each role, where the day's work stands and the way to it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.lib.clock import database_now


def home(request: HttpRequest) -> HttpResponse:
    """Show the pages that this person's roles open, the most urgent first."""
    return render(request, "clinic/home.html", {"now": database_now()})
