"""Routes of complications; `clinic.urls` mounts the first list under /api/v1/ and the second at the root."""

from django.urls import URLPattern, URLResolver, path

from complications.pages import escalations, links, log, report

api_urlpatterns: list[URLPattern | URLResolver] = []
page_urlpatterns: list[URLPattern | URLResolver] = [
    path("complications/", log.log, name="page-complications"),
    path("complications/new/", report.report, name="page-complication-new"),
    path("complications/<uuid:public_id>/", log.complication, name="page-complication"),
    path("escalations/", escalations.escalations, name="page-escalations"),
    path("escalations/<uuid:public_id>/", escalations.escalation, name="page-escalation"),
    path(
        "escalations/<uuid:public_id>/acknowledgement/",
        escalations.acknowledgement,
        name="page-escalation-acknowledgement",
    ),
    path("escalations/<uuid:public_id>/arrival/", escalations.arrival, name="page-escalation-arrival"),
    path("escalations/<uuid:public_id>/handover/", escalations.handover, name="page-escalation-handover"),
    path("escalations/<uuid:public_id>/milestones/", escalations.milestone, name="page-escalation-milestone"),
    path("escalations/<uuid:public_id>/examination/", escalations.examination, name="page-escalation-examination"),
    path("escalations/<uuid:public_id>/decision/", escalations.decision, name="page-escalation-decision"),
    path("a/<str:token>/", links.link, name="page-answer-link"),
]
