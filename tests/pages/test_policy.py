"""The paging policy as administrators read and set it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid
from clinic.models import AuditEntry, User
from clinic.vocabulary import Role
from complications.actions.policy import set_policy
from complications.models import EscalationPolicy
from complications.pages.policy_form import as_form
from complications.rules.policy import default_policy
from complications.rules.policy_review import differences, loops
from tests.make import make_actor, make_site, make_user
from tests.make_complications import BACKSTOP, Ward, make_ward

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Any]
NEW = "/escalations/policy/new/"


@pytest.fixture
def ward() -> Ward:
    return make_ward()


def typed(data: dict[str, Any]) -> dict[str, Any]:
    """What a browser sends for a form that nobody touched."""
    form = as_form(data)
    body: dict[str, Any] = {one.name: one.value for one in form.backstop}
    for tier in form.tiers:
        inputs = [*tier.clocks, tier.repeat_from, tier.repeat_every, *(step.after for step in tier.steps)]
        posts = [tier.repeat_to, *(step.to for step in tier.steps)]
        if tier.quiet_from and tier.quiet_to and tier.quiet_posts:
            inputs += [tier.quiet_from, tier.quiet_to]
            posts.append(tier.quiet_posts)
        body |= {one.name: one.value for one in inputs} | {one.name: list(one.chosen) for one in posts}
    for pathway in form.pathways:
        body |= {one.name: list(one.chosen) for _, one in pathway.steps}
        body[pathway.repeat.name] = list(pathway.repeat.chosen)
    return body


def in_force(ward: Ward) -> EscalationPolicy:
    return EscalationPolicy.objects.filter(site=ward.site).latest("version")


def test_a_form_that_nobody_touched_sets_the_same_policy(as_: Clients, ward: Ward) -> None:
    before = in_force(ward)
    answer = as_(ward.manager).post(NEW, {**typed(before.data), "reason": "looked at again"})
    assert answer.status_code == 302
    after = in_force(ward)
    assert (after.version, after.reason, after.created_by) == (before.version + 1, "looked at again", ward.manager)
    assert differences(before.data, after.data) == []
    entry = AuditEntry.objects.filter(action="policy.set").latest("pk")
    assert "looked at again" in entry.canonical


def test_a_new_version_keeps_the_old_one_and_says_what_differs(as_: Clients, ward: Ward) -> None:
    client = as_(ward.manager)
    body = typed(in_force(ward).data)
    body["tiers.t0.steps.1.after_min"] = "4"
    body["tiers.t0.repeat.to"] = ["on_call_rank_1", "backstop"]
    page = client.post(NEW, {**body, "reason": "four minutes are enough"}, follow=True).content.decode()
    assert "Version 2 is in force" in page
    assert "four minutes are enough" in page
    old = client.get("/escalations/policy/?version=1").content.decode()
    assert "tiers.t0.steps.1.after_min" in old
    assert "tiers.t0.repeat.to" in old
    assert "not in force" in old
    found = client.get("/api/v1/escalations/policy/versions/").json()["results"]
    assert [one["version"] for one in found] == [2, 1]
    assert {"field": "tiers.t0.steps.1.after_min", "was": 5, "now": 4} in found[0]["changes"]
    assert client.get("/escalations/policy/?version=9").status_code == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backstop.email": "", "backstop.phone": ""}, "Name a backstop"),
        ({"tiers.t0.imaging_limit": "110"}, "miss the decision"),
        ({"tiers.t1.steps.0.after_min": "3"}, "The first step pages at once"),
        ({"tiers.t0.ack": "soon"}, "Give the minutes as a number."),
        ({"tiers.t0.steps.3.to": [], "tiers.t0.steps.3.after_min": ""}, "must page the backstop"),
        ({"tiers.t2.quiet.from": "25:00"}, "cannot be used"),
        ({"reason": ""}, "Say why"),
    ],
)
def test_a_refusal_stands_beside_the_form_with_everything_that_was_typed(
    as_: Clients, ward: Ward, changes: dict[str, Any], words: str
) -> None:
    body = {**typed(in_force(ward).data), "reason": "kept text", "tiers.t3.ack": "1441", **changes}
    page = as_(ward.manager).post(NEW, body).content.decode()
    assert words in page
    assert 'value="1441"' in page
    assert in_force(ward).version == 1
    for value in changes.values():
        assert isinstance(value, list) or f'value="{value}"' in page


def test_a_ladder_that_goes_in_a_circle_is_refused(ward: Ward) -> None:
    data = {**default_policy(), "backstop": BACKSTOP}
    assert loops(data) == []
    data["tiers"]["t0"]["steps"][1]["to"].append("backstop")
    assert [one[:2] for one in loops(data)] == [("tiers.t0.steps.3.to", "loop")]
    with pytest.raises(Invalid) as refusal:
        set_policy(site=ward.site, data=data, by=make_actor(), now=ward.procedure.created_at)
    assert refusal.value.errors[0].code == "loop"


def test_a_site_where_fewer_than_two_can_open_the_canal_is_refused(ward: Ward) -> None:
    site = make_site()
    data = {**default_policy(), "backstop": BACKSTOP}
    make_user(site, Role.SURGEON)
    make_user(site, Role.SURGEON, can_decompress=False)
    make_user(site, Role.SURGEON, is_active=False)
    with pytest.raises(Invalid) as refusal:
        set_policy(site=site, data=data, by=make_actor(), now=ward.procedure.created_at)
    assert [(one.field, one.code) for one in refusal.value.errors] == [
        ("site.can_decompress", "too_few_can_decompress")
    ]
    make_user(site, Role.SURGEON)
    assert set_policy(site=site, data=data, by=make_actor(), now=ward.procedure.created_at).version == 1


def test_surgeons_read_the_ladder_and_cannot_set_it(as_: Clients, ward: Ward) -> None:
    client = as_(ward.first)
    page = client.get("/escalations/policy/").content.decode()
    for words in ("Emergency", "Clinical director", "Spine surgeon on call, first", "then every 15 min"):
        assert words in page
    assert NEW not in page
    assert client.get(NEW).status_code == 403
    site = make_site()
    assert "as it ships" in as_(make_user(site, Role.ADMINISTRATOR)).get("/escalations/policy/").content.decode()


def test_a_turkish_reader_reads_the_policy_in_turkish(as_: Clients, ward: Ward) -> None:
    ward.manager.language = "tr"
    ward.manager.save()
    assert "Çağrı kuralları" in as_(ward.manager).get("/escalations/policy/").content.decode()
    assert "Yeni sürümü geçerli kıl" in as_(ward.manager).get(NEW).content.decode()


def test_what_is_typed_is_tried_beside_the_policy_in_force_and_nothing_is_set(as_: Clients, ward: Ward) -> None:
    before = in_force(ward)
    # The second surgeon on call is to be paged at once, and no longer after five minutes.
    changed = {**typed(before.data), "tiers.t0.steps.0.to": ["on_call_rank_2", "nurse_in_charge"]}
    body = {**changed, "try": "1", "try.tier": "t0", "try.pathway": "spine"}
    shown = as_(ward.manager).post(NEW, body).content.decode()
    left, right = shown.split('id="h-typed"')[1].split('id="h-now"')
    first = left.split("</li>")[0]
    assert ward.second.get_full_name() in first
    assert ward.first.get_full_name() not in first
    assert ward.first.get_full_name() in right.split("</li>")[0]
    assert in_force(ward) == before
    # What was typed stands there still.
    assert 'name="tiers.t0.steps.0.to" value="on_call_rank_2" checked' in shown


def test_a_draft_that_may_not_be_set_is_played_with_what_forbids_it(as_: Clients, ward: Ward) -> None:
    User.objects.filter(pk__in=[ward.first.pk, ward.second.pk, ward.head.pk]).update(can_decompress=False)
    shown = as_(ward.manager).post(NEW, {**typed(in_force(ward).data), "try": "1"}).content.decode()
    assert 'id="h-typed"' in shown
    assert 'role="alert"' in shown
    # What cannot be read cannot be played either, and names its field.
    unread = as_(ward.manager).post(NEW, {**typed(in_force(ward).data), "tiers.t0.ack": "soon", "try": "1"})
    assert 'id="h-typed"' not in unread.content.decode()
    assert "tiers.t0.ack" in unread.content.decode()
    wrong = as_(ward.manager).post(NEW, {**typed(in_force(ward).data), "try": "1", "try.at": "yesterday"})
    assert "try.at" in wrong.content.decode()


def test_a_draft_is_tried_over_the_api(as_: Clients, ward: Ward) -> None:
    data = {**default_policy(), "backstop": BACKSTOP}
    data["tiers"] = {**data["tiers"], "t0": {**data["tiers"]["t0"]}}
    steps = [dict(step) for step in data["tiers"]["t0"]["steps"]]
    steps[0]["to"] = ["on_call_rank_2"]
    data["tiers"]["t0"]["steps"] = steps
    body = {"policy": data, "tier": "t0", "at": database_now().isoformat()}
    found = as_(ward.manager).send("POST", "/escalations/simulation/", body)
    assert found.status_code == 200, found.json()
    assert found.json()["policy_version"] is None
    assert [one["name"] for one in found.json()["moments"][0]["to"]] == [ward.second.get_full_name()]
    assert as_(ward.nurse).send("POST", "/escalations/simulation/", body).status_code == 403
    broken = as_(ward.manager).send("POST", "/escalations/simulation/", {"policy": {**data, "backstop": {}}})
    assert broken.status_code == 400
    assert broken.json()["errors"][0]["field"].startswith("backstop")
    assert in_force(ward).version == 1
