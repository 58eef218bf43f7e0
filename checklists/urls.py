"""Routes of checklists; `clinic.urls` mounts the first list under /api/v1/ and the second at the root."""

from django.urls import URLPattern, URLResolver, path

from checklists.api import board, drafts, events, follow_ups, identity, moving, procedures, runs, signing
from checklists.pages import board as board_page
from checklists.pages import definitions, run, timeline, wall
from checklists.pages import drafts as draft_pages
from checklists.pages import follow_ups as follow_up_pages
from checklists.pages import moving as moving_page

api_urlpatterns: list[URLPattern | URLResolver] = [
    # Asked for most, so it is found first.
    path("runs/<uuid:public_id>/events/", events.RunEventsView.as_view(), name="api-run-events"),
    path("procedures/", procedures.ProceduresView.as_view(), name="api-procedures"),
    path("procedures/<uuid:public_id>/", procedures.ProcedureView.as_view(), name="api-procedure"),
    path(
        "procedures/<uuid:public_id>/timeline/",
        procedures.ProcedureTimelineView.as_view(),
        name="api-procedure-timeline",
    ),
    path("procedures/<uuid:public_id>/runs/", procedures.ProcedureRunsView.as_view(), name="api-procedure-runs"),
    path("runs/<uuid:public_id>/", runs.RunView.as_view(), name="api-run"),
    path("runs/<uuid:public_id>/gate/", runs.RunGateView.as_view(), name="api-run-gate"),
    path("runs/<uuid:public_id>/identity/", identity.RunIdentityView.as_view(), name="api-run-identity"),
    path("runs/<uuid:public_id>/signatures/", signing.RunSignaturesView.as_view(), name="api-run-signatures"),
    path(
        "runs/<uuid:public_id>/countersignatures/",
        signing.RunCountersignaturesView.as_view(),
        name="api-run-countersignatures",
    ),
    path("runs/<uuid:public_id>/overrides/", signing.RunOverridesView.as_view(), name="api-run-overrides"),
    path("runs/<uuid:public_id>/pauses/", signing.RunPausesView.as_view(), name="api-run-pauses"),
    path("runs/<uuid:public_id>/emergency/", signing.RunEmergencyView.as_view(), name="api-run-emergency"),
    path("runs/<uuid:public_id>/levels/", signing.RunLevelsView.as_view(), name="api-run-levels"),
    path("runs/<uuid:public_id>/outcome/", signing.RunOutcomeView.as_view(), name="api-run-outcome"),
    path("runs/<uuid:public_id>/amendments/", signing.RunAmendmentsView.as_view(), name="api-run-amendments"),
    path(
        "follow-ups/<uuid:public_id>/answers/",
        follow_ups.FollowUpAnswersView.as_view(),
        name="api-follow-up-answers",
    ),
    path("follow-ups/<uuid:public_id>/form/", follow_ups.FollowUpFormView.as_view(), name="api-follow-up-form"),
    path("runs/<uuid:public_id>/move/", moving.RunMoveView.as_view(), name="api-run-move"),
    path("definitions/", drafts.DefinitionsView.as_view(), name="api-definitions"),
    path("definitions/<str:sha256>/runs/", drafts.DefinitionRunsView.as_view(), name="api-definition-runs"),
    path(
        "definitions/<str:sha256>/withdrawal/",
        drafts.DefinitionWithdrawalView.as_view(),
        name="api-definition-withdrawal",
    ),
    path(
        "definitions/<str:sha256>/questionnaire/",
        drafts.QuestionnaireView.as_view(),
        name="api-definition-questionnaire",
    ),
    path("questionnaires/", drafts.QuestionnairesView.as_view(), name="api-questionnaires"),
    path("definition-drafts/", drafts.DraftsView.as_view(), name="api-drafts"),
    path("definition-drafts/<uuid:public_id>/", drafts.DraftView.as_view(), name="api-draft"),
    path("definition-drafts/<uuid:public_id>/dry-run/", drafts.DraftDryRunView.as_view(), name="api-draft-dry-run"),
    path("definition-drafts/<uuid:public_id>/proposal/", drafts.DraftProposalView.as_view(), name="api-draft-proposal"),
    path("definition-drafts/<uuid:public_id>/approval/", drafts.DraftApprovalView.as_view(), name="api-draft-approval"),
    path("definition-drafts/<uuid:public_id>/return/", drafts.DraftReturnView.as_view(), name="api-draft-return"),
    path("definition-drafts/<uuid:public_id>/discard/", drafts.DraftDiscardView.as_view(), name="api-draft-discard"),
    path("definitions/<str:sha256>/", runs.DefinitionView.as_view(), name="api-definition"),
    path("board/", board.BoardView.as_view(), name="api-board"),
]
page_urlpatterns: list[URLPattern | URLResolver] = [
    path("board/", board_page.board, name="page-board"),
    path("wall/<slug:room>/", wall.wall, name="page-wall"),
    path("procedures/<uuid:public_id>/", timeline.procedure, name="page-procedure"),
    path("procedures/<uuid:public_id>/call/", follow_up_pages.patient_called, name="page-patient-called"),
    path("follow-ups/", follow_up_pages.follow_ups, name="page-follow-ups"),
    path("follow-ups/<uuid:public_id>/", follow_up_pages.follow_up, name="page-follow-up"),
    path("follow-ups/<uuid:public_id>/contact/", follow_up_pages.contact, name="page-follow-up-contact"),
    path("definitions/", definitions.definitions, name="page-definitions"),
    path("definitions/import/", definitions.questionnaire_import, name="page-questionnaire-import"),
    path("definitions/drafts/<uuid:public_id>/", draft_pages.draft, name="page-draft"),
    path("definitions/drafts/<uuid:public_id>/text/", draft_pages.draft_text, name="page-draft-text"),
    path("definitions/drafts/<uuid:public_id>/items/<str:item>/", draft_pages.draft_item, name="page-draft-item"),
    path("definitions/<str:sha256>/", definitions.definition, name="page-definition"),
    path("definitions/<str:sha256>/withdrawal/", definitions.withdrawal, name="page-definition-withdrawal"),
    path("runs/<uuid:public_id>/move/", moving_page.run_move, name="page-run-move"),
    path("runs/shell/", run.shell, name="page-run-shell"),
    path("runs/<uuid:public_id>/", run.run, name="page-run"),
    path("sw.js", run.service_worker, name="page-service-worker"),
    path("manifest.webmanifest", run.manifest, name="page-manifest"),
]
