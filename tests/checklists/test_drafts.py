"""Lists in the making: drafts, the second approver, what is refused, the dry run, withdrawal."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction

from checklists.actions.definitions import publish_definitions
from checklists.actions.drafts import (
    approve_draft,
    discard_draft,
    next_version,
    open_draft,
    propose_draft,
    return_draft,
    save_draft,
    withdraw_definition,
)
from checklists.models import Definition, Draft, DraftVersion, Run
from checklists.queries.definitions import dry_run, faults_of, in_force, runs_of, versions_with_use
from checklists.queries.runs import gate_now, look_at
from checklists.rules.derived import settled
from checklists.rules.differences import differences
from checklists.rules.review import cautions
from checklists.rules.shape import readable
from checklists.rules.written import read_json
from clinic.lib.clock import database_now
from clinic.lib.problems import Denied, Invalid, Refused
from clinic.models import AuditEntry, Site, User
from clinic.vocabulary import Role
from tests.clients import ApiClient
from tests.make import make_actor, make_site, make_user
from tests.make_checklists import catalogue, fill, make_case, pass_lists, publish_catalogue

pytestmark = pytest.mark.django_db


class Office:
    """Two administrators, and a draft of the first list."""

    def __init__(self) -> None:
        publish_catalogue()
        self.site: Site = make_site()
        self.author: User = make_user(self.site, Role.ADMINISTRATOR)
        self.approver: User = make_user(self.site, Role.ADMINISTRATOR)

    def draft(self, change: Callable[[dict[str, Any]], None] = lambda content: None, name: str = "pre") -> Draft:
        content = copy.deepcopy(catalogue()[name])
        content["version"] = next_version(name)
        content["items"][0]["title"] = "Why is cement needed here?"
        change(content)
        base = in_force(name)
        return open_draft(
            name=name, content=content, base=base, note="", by=make_actor(self.author), now=database_now()
        )

    def propose(self, draft: Draft) -> Draft:
        propose_draft(draft=draft, number=draft.number, by=make_actor(self.author), now=database_now())
        return draft

    def approve(self, draft: Draft, by: User | None = None) -> Definition:
        by = by or self.approver
        return approve_draft(draft=draft, number=draft.number, by=make_actor(by), now=database_now())


@pytest.fixture
def office() -> Office:
    return Office()


def item(content: dict[str, Any], name: str) -> dict[str, Any]:
    """An item of a definition, to be changed in place."""

    def walk(items: list[dict[str, Any]]) -> dict[str, Any] | None:
        for one in items:
            if one["id"] == name:
                return one
            if found := walk(one.get("items", [])):
                return found
        return None

    found = walk(content["items"])
    assert found is not None, name
    return found


def test_a_draft_is_published_by_a_second_person_and_opened_from_then_on(office: Office) -> None:
    before = make_case(office.site)["pre"]
    row = office.approve(office.propose(office.draft()))
    assert (row.version, row.authored_by, row.published_by) == ("1.1.0", office.author, office.approver)
    assert make_case(office.site)["pre"].definition == row
    before.refresh_from_db()
    assert before.definition.version == "1.0.1"
    actions = list(AuditEntry.objects.filter(stream="definition:pre").order_by("seq").values_list("action", flat=True))
    seen = ApiClient()
    seen.force_login(make_user(make_site(), Role.AUDITOR), backend="django.contrib.auth.backends.ModelBackend")
    assert "draft.proposed" in seen.get("/audit/").content.decode()
    assert actions[-4:] == ["draft.opened", "draft.saved", "draft.proposed", "definition.published"]


def test_whoever_wrote_or_proposed_a_draft_cannot_approve_it(office: Office) -> None:
    draft = office.draft()
    content = DraftVersion.objects.get(draft=draft).content
    third = make_user(office.site, Role.ADMINISTRATOR)
    save_draft(draft=draft, content=content, number=1, note="", by=make_actor(third), now=database_now())
    office.propose(draft)
    for person in (office.author, third):
        with pytest.raises(Denied, match="own_draft"):
            office.approve(draft, person)
    assert office.approve(draft).authored_by == office.author


def test_the_database_itself_wants_a_second_approver(office: Office) -> None:
    draft = office.propose(office.draft())
    writer = make_user(office.site, Role.ADMINISTRATOR)
    with pytest.raises(DatabaseError), transaction.atomic():
        DraftVersion.objects.create(
            draft=draft, number=2, content={}, sha256="", saved_by=writer, saved_at=database_now()
        )
    content = DraftVersion.objects.get(draft=draft).content
    common = {"kind": "phase", "phase": "pre", "sha256": "0" * 64, "content": content, "published_at": database_now()}
    with pytest.raises(DatabaseError), transaction.atomic():
        Definition.objects.create(
            name="pre", version="7.0.0", published_by=office.author, authored_by=office.author, **common
        )
    with pytest.raises(DatabaseError), transaction.atomic():
        Definition.objects.create(name="pre", version="7.0.0", published_by=office.author, **common)
    row = Definition.objects.create(
        name="pre", version="7.0.0", published_by=office.approver, authored_by=office.author, **common
    )
    closed = {"status": "published", "definition": row, "closed_at": database_now()}
    for person in (office.author, None):
        with pytest.raises(DatabaseError), transaction.atomic():
            Draft.objects.filter(pk=draft.pk).update(approved_by=person, **closed)
    Draft.objects.filter(pk=draft.pk).update(author=office.approver, proposed_by=office.approver)
    with pytest.raises(DatabaseError, match="wrote none"), transaction.atomic():
        Draft.objects.filter(pk=draft.pk).update(approved_by=office.author, **closed)


def test_a_second_draft_of_a_list_waits_for_the_first(office: Office) -> None:
    first = office.draft()
    with pytest.raises(Refused, match="draft_in_work"):
        office.draft()
    discard_draft(draft=first, by=make_actor(office.author), now=database_now())
    assert office.draft().number == 1
    with pytest.raises(Refused, match="no_such_arrow"):
        return_draft(draft=first, reason="back", by=make_actor(office.author), now=database_now())


def test_what_somebody_else_saved_meanwhile_is_not_overwritten(office: Office) -> None:
    draft, stale = office.draft(), None
    stale = Draft.objects.get(pk=draft.pk)
    content = DraftVersion.objects.get(draft=draft).content
    save_draft(draft=draft, content=content, number=1, note="mine", by=make_actor(office.author), now=database_now())
    with pytest.raises(Refused, match="draft_changed"):
        save_draft(draft=stale, content=content, number=1, note="", by=make_actor(office.approver), now=database_now())
    with pytest.raises(Refused, match="draft_changed"):
        propose_draft(draft=draft, number=1, by=make_actor(office.author), now=database_now())
    office.propose(draft)
    with pytest.raises(Refused, match="draft_not_open"):
        save_draft(draft=draft, content=content, number=2, note="", by=make_actor(office.author), now=database_now())
    return_draft(draft=draft, reason="Mend the title", by=make_actor(office.approver), now=database_now())
    save_draft(draft=draft, content=content, number=2, note="", by=make_actor(office.author), now=database_now())


def test_an_unfinished_draft_is_kept_and_only_its_proposal_refused(office: Office) -> None:
    draft = office.draft(lambda content: content["items"][0].update(title_tr="", colour="red"))
    assert DraftVersion.objects.get(draft=draft).content["items"][0]["colour"] == "red"
    with pytest.raises(Invalid) as refused:
        office.propose(draft)
    assert refused.value.code == "broken_definition"
    assert [one.field for one in refused.value.errors] == ["PRE-IDX-01 title_tr"] or refused.value.errors


def loop(content: dict[str, Any]) -> None:
    item(content, "PRE-PAI-01.rest")["applies"] = {"item": "PRE-PAI-01.movement", "op": "exists", "value": True}
    item(content, "PRE-PAI-01.movement")["applies"] = {"item": "PRE-PAI-01.rest", "op": "exists", "value": True}


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (lambda c: item(c, "PRE-PAI-01.rest").update(required="often"), "PRE-PAI-01.rest.required", "always"),
        (lambda c: item(c, "PRE-PAI-01.rest").update(min=12), "PRE-PAI-01.rest.min", "above max"),
        (lambda c: item(c, "PRE-PAI-01.rest").update(requierd="x"), "PRE-PAI-01.rest.requierd", "unknown field"),
        (loop, "PRE-PAI-01.movement.applies", "circle"),
        (lambda c: c.update(version="one"), "version", "1.2.0"),
        (lambda c: c["items"].append(copy.deepcopy(c["items"][0])), "PRE-IDX-01.id", "twice"),
        (
            lambda c: c["items"].append({**catalogue()["sign_in"]["items"][0], "items": []}),
            "SIN-IDN-01.id",
            "sign_in too",
        ),
        (
            lambda c: item(c, "PRE-PAI-01.rest").update(applies={"item": "PRE-XXX-09", "op": "exists", "value": True}),
            "PRE-PAI-01.rest.applies",
            "PRE-XXX-09",
        ),
        (
            lambda c: item(c, "PRE-PAI-01.rest").update(applies={"item": "PRE-LVL-01", "op": ">", "value": ["T1"]}),
            "PRE-PAI-01.rest.applies",
            "one value",
        ),
        (
            lambda c: item(c, "PRE-PAI-01.rest").update(applies={"item": "PRE-IDX-01", "op": ">", "value": "a"}),
            "PRE-PAI-01.rest.applies",
            "no order",
        ),
        (lambda c: c.update(items=[one for one in c["items"] if one["id"] != "PRE-LVL-01"]), "PRE-LVL-01", "itself reads"),
        (lambda c: item(c, "PRE-LVL-01").update(type="text"), "PRE-LVL-01.type", "another id"),
    ],
)  # fmt: skip
def test_a_draft_that_cannot_be_used_is_refused_by_item_field_and_remedy(
    change: Callable[[dict[str, Any]], None], place: str, says: str
) -> None:
    publish_catalogue()
    content = copy.deepcopy(catalogue()["pre"])
    change(content)
    found = [(".".join(part for part in (one.item, one.field) if part), one.remedy) for one in faults_of(content)]
    matching = [remedy for where, remedy in found if where == place]
    assert matching, found
    assert any(says in remedy for remedy in matching), matching


def test_a_list_may_not_lose_what_another_list_refers_to() -> None:
    publish_catalogue()
    content = copy.deepcopy(catalogue()["pre"])
    parent = item(content, "PRE-IDX-01")
    parent["items"] = [one for one in parent["items"] if one["id"] != "PRE-IDX-01.biopsy_planned"]
    assert [(one.file, one.item, one.field) for one in faults_of(content)] == [("sign_out", "SOU-SPC-01", "stop_rules")]


def test_the_same_content_is_published_once(office: Office) -> None:
    draft = office.draft(lambda content: content["items"][0].update(title=catalogue()["pre"]["items"][0]["title"]))
    with pytest.raises(Refused, match="same_content"):
        office.propose(draft)
    content = {**DraftVersion.objects.get(draft=draft).content, "version": "1.0.1", "title": "Other"}
    save_draft(draft=draft, content=content, number=1, note="", by=make_actor(office.author), now=database_now())
    with pytest.raises(Refused, match="version_published"):
        office.propose(draft)


def test_an_update_of_the_software_leaves_what_two_people_approved(office: Office) -> None:
    row = office.approve(office.propose(office.draft()))
    files = {name: {**content, "version": "1.0.2"} for name, content in catalogue().items()}
    new, _, left = publish_definitions(definitions=files, by=make_actor(), now=database_now())
    assert left == [row]
    assert len(new) == 16
    assert in_force("pre") == row
    over, _, _ = publish_definitions(definitions=files, by=make_actor(), now=database_now(), over=True)
    assert in_force("pre") == over[0] != row
    call_command("definitions", "publish")


def test_everything_derived_follows_the_draft() -> None:
    for name, content in catalogue().items():
        assert settled(content) == content, name
        assert faults_of(content) == [], name
    content = copy.deepcopy(catalogue()["pre"])
    item(content, "PRE-LVL-01").pop("stop_rules")
    after = settled(content)
    assert item(after, "PRE-LVL-01")["stop"] == "N"
    assert ("PRE-LVL-01", "weaker") in cautions(after, catalogue()["pre"])


def test_a_list_is_shown_in_the_order_in_which_people_write_it() -> None:
    for content in catalogue().values():
        shown = readable(content)
        assert shown == content
        assert list(shown)[:2] == ["schema", "id"]
        assert list(shown)[-1] == "items"
        first = list(shown["items"][0])
        assert first[0] == "id"
        assert first.index("title") < first.index("title_tr") < first.index("type") < first.index("source")


def test_a_difference_is_named_by_item_and_field() -> None:
    was = catalogue()["pre"]
    now = copy.deepcopy(was)
    now["items"].insert(2, now["items"].pop(0))
    item(now, "PRE-PAI-01.rest")["max"] = 9
    now["items"].append({**now["items"][1], "id": "PRE-NEW-01", "items": []})
    gone = now["items"].pop(5)
    found = differences(was, now)
    assert ("PRE-PAI-01.rest", "field", "max", 10, 9) in [(c.item, c.kind, c.field, c.was, c.now) for c in found]
    assert [c.item for c in found if c.kind == "new"] == ["PRE-NEW-01"]
    assert gone["id"] in [c.item for c in found if c.kind == "retired"]
    assert [c.item for c in found if c.kind == "moved"] == ["PRE-IDX-01"] or "moved" in {c.kind for c in found}
    assert differences(was, was) == []


@pytest.mark.parametrize(
    "text", ["{", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, '{"a": "\\u0000"}', "1e999", "9" * 5000]
)
def test_what_is_no_json_that_can_be_kept_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="draft"):
        read_json("draft", text)


def signed_case(site: Site, surgeon: User) -> dict[str, Run]:
    runs = make_case(site, surgeon)
    fill(runs["pre"], by=surgeon)
    pass_lists(runs, before="sign_in")
    return runs


def test_a_dry_run_counts_the_past_cases_that_the_draft_would_have_stopped(
    office: Office, django_assert_num_queries: Any
) -> None:
    surgeon = make_user(office.site, Role.SURGEON)
    cases = [signed_case(office.site, surgeon)["pre"] for _ in range(3)]
    signed_case(make_site(), make_user(None, Role.SURGEON))
    same = catalogue()["pre"]
    nothing = dry_run(same, site=office.site, now=database_now())
    assert (nothing.looked_at, list(nothing.stopped)) == (3, [])
    content = copy.deepcopy(same)
    pain = item(content, "PRE-PAI-01.rest")
    low = cases[0].answers.get(item="PRE-PAI-01", part="rest").value
    stop = {"class": "H1", "when": {"op": ">=", "value": low}, "because": "Much pain", "because_tr": "Çok ağrı"}
    pain["stop_rules"] = [*pain.get("stop_rules", []), stop]
    now = database_now()
    with django_assert_num_queries(6):
        found = dry_run(settled(content), site=office.site, now=now, cases=2)
    assert found.looked_at == 2
    assert {one.run.pk for one in found.stopped} <= {run.pk for run in cases}
    assert found.by_item == [("PRE-PAI-01.rest", 2)]
    assert found.stopped[0].blockers[0].reason == "Much pain"


def test_a_withdrawn_version_opens_nothing_and_lists_who_used_it(office: Office) -> None:
    first = in_force("pre")
    assert first is not None
    with pytest.raises(Refused, match="nothing_left"):
        withdraw_definition(
            definition=first, reason="Wrong level wording", by=make_actor(office.author), now=database_now()
        )
    open_run = make_case(office.site)["pre"]
    bad = office.approve(office.propose(office.draft()))
    on_bad = make_case(office.site)["pre"]
    withdraw_definition(definition=bad, reason="Wrong level wording", by=make_actor(office.author), now=database_now())
    assert make_case(office.site)["pre"].definition == first
    on_bad.refresh_from_db()
    assert on_bad.definition == bad
    assert [run.pk for run in runs_of(bad, office.site)] == [on_bad.pk]
    assert runs_of(bad, make_site()) == []
    warned = [(one.code, one.kind, one.reason) for one in gate_now(on_bad, look_at(on_bad, database_now())).blockers]
    assert ("withdrawn", "warning", "This version of the list was withdrawn: Wrong level wording") in warned
    assert on_bad.revision == 1
    assert "withdrawn" not in {one.code for one in gate_now(open_run, look_at(open_run, database_now())).blockers}
    use = {row.version: (row.open_runs, row.all_runs) for row in versions_with_use(office.site) if row.name == "pre"}  # type: ignore[attr-defined]
    assert use == {"1.1.0": (1, 1), "1.0.1": (2, 2)}
    with pytest.raises(Refused, match="already_withdrawn"):
        withdraw_definition(definition=bad, reason="Once more again", by=make_actor(office.author), now=database_now())
    with pytest.raises(Refused, match="nothing_left"):
        withdraw_definition(definition=first, reason="This one too", by=make_actor(office.author), now=database_now())
    assert open_run.definition == first
