"""Routes of complications; `clinic.urls` mounts the first list under /api/v1/ and the second at the root."""

from django.urls import URLPattern, URLResolver, path

from complications.api import bedside as bedside_api
from complications.api import complications as complications_api
from complications.api import drills as drills_api
from complications.api import escalations as escalations_api
from complications.api import follow_ups
from complications.api import intervals as intervals_api
from complications.api import rota as rota_api
from complications.pages import bedside, drills, escalations, intervals, links, log, phone, policy, report
from complications.pages import rota as rota_pages

api_urlpatterns: list[URLPattern | URLResolver] = [
    path("complications/", complications_api.ComplicationsView.as_view(), name="api-complications"),
    path("complications/catalogue/", complications_api.CatalogueView.as_view(), name="api-complication-catalogue"),
    path("complications/<uuid:public_id>/", complications_api.ComplicationView.as_view(), name="api-complication"),
    path(
        "complications/<uuid:public_id>/versions/",
        complications_api.VersionsView.as_view(),
        name="api-complication-versions",
    ),
    path("drills/", drills_api.DrillsView.as_view(), name="api-drills"),
    path("drills/plans/", drills_api.DrillPlansView.as_view(), name="api-drill-plans"),
    path("drills/plans/<uuid:public_id>/end/", drills_api.DrillPlanEndView.as_view(), name="api-drill-plan-end"),
    path("drills/<uuid:public_id>/", drills_api.DrillView.as_view(), name="api-drill"),
    path("drills/<uuid:public_id>/end/", drills_api.DrillEndView.as_view(), name="api-drill-end"),
    path("escalations/", escalations_api.EscalationsView.as_view(), name="api-escalations"),
    path("escalations/intervals/", intervals_api.IntervalsView.as_view(), name="api-escalation-intervals"),
    path("escalations/policy/", escalations_api.PolicyView.as_view(), name="api-escalation-policy"),
    path(
        "escalations/policy/versions/",
        escalations_api.PolicyVersionsView.as_view(),
        name="api-escalation-policy-versions",
    ),
    path("escalations/simulation/", rota_api.SimulationView.as_view(), name="api-escalation-simulation"),
    path("rota/coverage/", rota_api.CoverageView.as_view(), name="api-rota-coverage"),
    path("escalations/<uuid:public_id>/", escalations_api.EscalationView.as_view(), name="api-escalation"),
    path(
        "escalations/<uuid:public_id>/acknowledgement/",
        escalations_api.AcknowledgementView.as_view(),
        name="api-escalation-acknowledgement",
    ),
    path("escalations/<uuid:public_id>/arrival/", escalations_api.ArrivalView.as_view(), name="api-escalation-arrival"),
    path(
        "escalations/<uuid:public_id>/handover/", escalations_api.HandOverView.as_view(), name="api-escalation-handover"
    ),
    path("escalations/<uuid:public_id>/decline/", escalations_api.DeclineView.as_view(), name="api-escalation-decline"),
    path("escalations/<uuid:public_id>/tier/", escalations_api.TierView.as_view(), name="api-escalation-tier"),
    path(
        "escalations/<uuid:public_id>/milestones/",
        escalations_api.MilestonesView.as_view(),
        name="api-escalation-milestones",
    ),
    path(
        "escalations/<uuid:public_id>/decision/", escalations_api.DecisionView.as_view(), name="api-escalation-decision"
    ),
    path(
        "escalations/<uuid:public_id>/raised-in-error/",
        escalations_api.RaisedInErrorView.as_view(),
        name="api-escalation-raised-in-error",
    ),
    path("escalations/<uuid:public_id>/bedside/", bedside_api.BedsideView.as_view(), name="api-escalation-bedside"),
    path("follow-ups/", follow_ups.FollowUpsView.as_view(), name="api-follow-ups"),
    path("follow-ups/<uuid:public_id>/", follow_ups.FollowUpView.as_view(), name="api-follow-up"),
    path("follow-ups/<uuid:public_id>/claim/", follow_ups.ClaimView.as_view(), name="api-follow-up-claim"),
    path("follow-ups/<uuid:public_id>/closure/", follow_ups.ClosureView.as_view(), name="api-follow-up-closure"),
    path(
        "follow-ups/<uuid:public_id>/contact-attempts/",
        follow_ups.ContactAttemptsView.as_view(),
        name="api-follow-up-contact-attempts",
    ),
    path("procedures/<uuid:public_id>/contacts/", follow_ups.ContactsView.as_view(), name="api-procedure-contacts"),
]
page_urlpatterns: list[URLPattern | URLResolver] = [
    path("complications/", log.log, name="page-complications"),
    path("complications/new/", report.report, name="page-complication-new"),
    path("complications/<uuid:public_id>/", log.complication, name="page-complication"),
    path("escalations/", escalations.escalations, name="page-escalations"),
    path("escalations/drills/", drills.drills, name="page-drills"),
    path("escalations/drills/plans/", drills.plans, name="page-drill-plans"),
    path("escalations/drills/plans/<uuid:public_id>/end/", drills.plan_end, name="page-drill-plan-end"),
    path("escalations/drills/<uuid:public_id>/", drills.drill, name="page-drill"),
    path("escalations/drills/<uuid:public_id>/end/", drills.end, name="page-drill-end"),
    path("escalations/sw.js", phone.worker, name="page-phone-worker"),
    path("escalations/app.webmanifest", phone.manifest, name="page-phone-manifest"),
    path("escalations/bedside/shell/", bedside.shell, name="page-bedside-shell"),
    path("escalations/<uuid:public_id>/bedside/", bedside.bedside, name="page-escalation-bedside"),
    path("escalations/simulation/", rota_pages.simulation, name="page-escalation-simulation"),
    path("escalations/policy/", policy.policy, name="page-escalation-policy"),
    path("escalations/policy/new/", policy.policy_edit, name="page-escalation-policy-new"),
    path("rota/", rota_pages.rota, name="page-rota"),
    path("escalations/<uuid:public_id>/", escalations.escalation, name="page-escalation"),
    path(
        "escalations/<uuid:public_id>/acknowledgement/",
        escalations.acknowledgement,
        name="page-escalation-acknowledgement",
    ),
    path("escalations/<uuid:public_id>/arrival/", escalations.arrival, name="page-escalation-arrival"),
    path("escalations/intervals/", intervals.intervals, name="page-escalation-intervals"),
    path("escalations/<uuid:public_id>/handover/", escalations.handover, name="page-escalation-handover"),
    path("escalations/<uuid:public_id>/decline/", escalations.declining, name="page-escalation-decline"),
    path("escalations/<uuid:public_id>/raise/", escalations.raising, name="page-escalation-raise"),
    path("escalations/<uuid:public_id>/raised-in-error/", escalations.error, name="page-escalation-error"),
    path("escalations/<uuid:public_id>/milestones/", escalations.milestone, name="page-escalation-milestone"),
    path("escalations/<uuid:public_id>/examination/", escalations.examination, name="page-escalation-examination"),
    path("escalations/<uuid:public_id>/decision/", escalations.decision, name="page-escalation-decision"),
    path("a/<str:token>/", links.link, name="page-answer-link"),
]
