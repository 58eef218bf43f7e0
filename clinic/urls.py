"""All routes: each package's `api_urlpatterns` under /api/v1/, its `page_urlpatterns` at the root."""

from allauth.account import views as account
from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from clinic.api import contacts as contacts_api
from clinic.api import exports, metrics, patients, rota, rota_import, session, tokens
from clinic.pages import audit, calendar_feed, contacts, health, home, inbox, preferences
from clinic.pages import exports as exports_page
from clinic.pages import rota as rota_pages
from clinic.pages import rota_import as rota_import_page

api_urlpatterns: list[URLPattern | URLResolver] = [
    path("exports/", exports.ExportListView.as_view(), name="api-exports"),
    path("exports/<slug:dataset>", exports.ExportView.as_view(), name="api-export"),
    path("exports/<slug:dataset>/identified", exports.IdentifiedExportView.as_view(), name="api-export-identified"),
    path("exports/<slug:dataset>/manifest", exports.ExportManifestView.as_view(), name="api-export-manifest"),
    path("patients/search/", patients.PatientSearchView.as_view(), name="api-patient-search"),
    path("tokens/", tokens.TokenListView.as_view(), name="api-tokens"),
    path("tokens/<uuid:public_id>/revocation/", tokens.TokenRevocationView.as_view(), name="api-token-revocation"),
    path("rota/", rota.RotaView.as_view(), name="api-rota"),
    path("rota/holders/", rota.HoldersView.as_view(), name="api-rota-holders"),
    path("rota/import/", rota_import.RotaImportView.as_view(), name="api-rota-import"),
    path("rota/shifts/", rota.ShiftsView.as_view(), name="api-rota-shifts"),
    path("rota/shifts/<uuid:public_id>/", rota.ShiftView.as_view(), name="api-rota-shift"),
    path("rota/overrides/", rota.OverridesView.as_view(), name="api-rota-overrides"),
    path("rota/overrides/<uuid:public_id>/", rota.OverrideView.as_view(), name="api-rota-override"),
    path("rota/leave/", rota.LeavesView.as_view(), name="api-rota-leaves"),
    path("rota/leave/<uuid:public_id>/", rota.LeaveView.as_view(), name="api-rota-leave"),
    path("rota/swaps/", rota.SwapsView.as_view(), name="api-rota-swaps"),
    path("rota/swaps/<uuid:public_id>/answer/", rota.SwapAnswerView.as_view(), name="api-rota-swap-answer"),
    path("me/contacts/", contacts_api.ContactsView.as_view(), name="api-contacts"),
    path("me/contacts/order/", contacts_api.ContactOrderView.as_view(), name="api-contact-order"),
    path("me/contacts/<uuid:public_id>/", contacts_api.ContactView.as_view(), name="api-contact"),
    path("me/contacts/<uuid:public_id>/codes/", contacts_api.ContactCodeView.as_view(), name="api-contact-codes"),
    path(
        "me/contacts/<uuid:public_id>/verification/",
        contacts_api.ContactVerificationView.as_view(),
        name="api-contact-verification",
    ),
    path("me/contacts/<uuid:public_id>/tests/", contacts_api.ContactTestView.as_view(), name="api-contact-tests"),
    path("contacts/", contacts_api.SiteContactsView.as_view(), name="api-site-contacts"),
    path("contacts/<uuid:public_id>/", contacts_api.SiteContactView.as_view(), name="api-site-contact"),
    path("contacts/<uuid:public_id>/tests/", contacts_api.SiteContactTestView.as_view(), name="api-site-contact-tests"),
    path("messages/receipts/<str:token>/", contacts_api.ReceiptView.as_view(), name="api-receipt"),
    path("session/", session.SessionView.as_view(), name="api-session"),
    path("session/switch/", session.SwitchView.as_view(), name="api-session-switch"),
    path("session/tablet/", session.TabletView.as_view(), name="api-session-tablet"),
]
page_urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("metrics", metrics.MetricsView.as_view(), name="api-metrics"),
    path("", home.home, name="page-home"),
    path("inbox/", inbox.inbox, name="page-inbox"),
    path("rota/mine.ics", calendar_feed.mine, name="page-rota-mine"),
    path("rota/calendar/", calendar_feed.calendar_feed, name="page-rota-calendar"),
    path("rota/import/", rota_import_page.rota_import, name="page-rota-import"),
    path("rota/shifts/", rota_pages.shift_new, name="page-rota-shift-new"),
    path("rota/shifts/<uuid:public_id>/", rota_pages.shift_end, name="page-rota-shift"),
    path("rota/overrides/", rota_pages.override_new, name="page-rota-override-new"),
    path("rota/overrides/<uuid:public_id>/", rota_pages.override_end, name="page-rota-override"),
    path("rota/leave/", rota_pages.leave_new, name="page-rota-leave-new"),
    path("rota/leave/<uuid:public_id>/", rota_pages.leave_end, name="page-rota-leave"),
    path("rota/swaps/", rota_pages.swap_new, name="page-rota-swap-new"),
    path("rota/swaps/<uuid:public_id>/", rota_pages.swap_answer, name="page-rota-swap"),
    path("exports/", exports_page.exports, name="page-exports"),
    path("audit/", audit.audit, name="page-audit"),
    path("me/contacts/", contacts.mine, name="page-contacts"),
    path("me/contacts/<uuid:public_id>/", contacts.mine_act, name="page-contact"),
    path("site/contacts/", contacts.of_site, name="page-site-contacts"),
    path("site/contacts/<uuid:public_id>/", contacts.of_site_act, name="page-site-contact"),
    path("preferences/", preferences.preferences, name="page-preferences"),
]

# Of allauth only what a hospital uses: nobody signs up, and passwords are reset by an administrator.
account_urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("accounts/", include(account_urlpatterns)),
    path("api/v1/", include(api_urlpatterns)),
    path("", include(page_urlpatterns)),
]
# The upper floors are named by strings only: nothing on the ground floor imports them. The topmost is asked first, since
# ticks are most of all requests.
for _package in settings.HOUSE[1:]:
    urlpatterns[:0] = [
        path("api/v1/", include(import_string(f"{_package}.urls.api_urlpatterns"))),
        path("", include(import_string(f"{_package}.urls.page_urlpatterns"))),
    ]
