"""The reference is complete and leads where it says, in docs/api.md and on the page."""

import re

from gateway.contract import refusals
from gateway.contract.calls import CALLS
from gateway.contract.failures import failures
from gateway.contract.page import reference_as_html
from gateway.contract.reference import reference_page, slug
from gateway.contract.schemas import MESSAGES, all_schemas, tag_of
from gateway.contract.webhooks import WEBHOOKS
from processor.outcome import crashed_too_often, damaged_record, describe, waited_too_long
from shared.errors import HandlerMisbehaved, SourceChanged, SourceMissing, StoreFull
from tests.architecture.source_tree import ROOT

HTML = reference_as_html("0").html.decode()


def test_the_page_in_docs_is_what_make_docs_writes() -> None:
    written = (ROOT / "docs/api.md").read_text(encoding="utf-8")

    assert written == reference_page(), "docs/api.md is stale. Run: make docs"


def test_the_reference_has_each_call_code_message_and_schema() -> None:
    text = reference_page()

    wanted = [f"### {call.method} {call.path}\n" for call in CALLS]
    wanted += [f"| `{refusal.code}` |" for refusal in refusals.ALL]
    wanted += [f"| `{tag_of(message)}` |" for message in MESSAGES]
    wanted += [f"### {name}\n" for name in all_schemas()]
    wanted += [f"### {webhook.name}\n" for webhook in WEBHOOKS]
    wanted += [f"| `{each.name}` |" for webhook in WEBHOOKS for each in webhook.parameters]
    assert [line for line in wanted if line not in text] == []


def test_each_code_of_a_failure_is_explained() -> None:
    described = [crashed_too_often(3), waited_too_long(), damaged_record(), describe(ValueError())]
    raised = [SourceMissing("x"), SourceChanged("x"), HandlerMisbehaved("x"), StoreFull("x", key="k")]

    codes = {error.code for error in [*described, *map(describe, raised)]}

    assert codes <= set(failures())
    assert all(failures().values())


def test_each_chapter_is_in_the_reference() -> None:
    chapters = [path.read_text(encoding="utf-8").strip() for path in ROOT.glob("gateway/contract/chapters/*.md")]

    assert len(chapters) > 10
    assert [chapter[:60] for chapter in chapters if chapter not in reference_page()] == []


def test_anchors_are_unique_and_each_link_within_the_page_leads_to_one() -> None:
    anchors = re.findall(r' id="([^"]*)"', HTML)
    targets = set(re.findall(r' href="#([^"]*)"', HTML))

    assert len(anchors) == len(set(anchors))
    assert targets <= set(anchors)
    assert len(targets) > 30


def test_links_from_other_pages_of_docs_lead_to_headings() -> None:
    pages = [path.read_text(encoding="utf-8") for path in [*ROOT.glob("docs/*.md"), ROOT / "CHANGELOG.md"]]
    targets = {target for page in pages for target in re.findall(r"\bapi\.md#([\w-]+)", page)}

    assert len(targets) >= 2
    assert targets <= set(re.findall(r' id="([^"]*)"', HTML))


def test_the_page_loads_nothing_runs_nothing_and_leads_nowhere_else() -> None:
    elements = set(re.findall(r"<([a-z0-9]+)", HTML))
    targets = set(re.findall(r' href="([^"#][^"]*)"', HTML))

    assert elements.isdisjoint({"script", "link", "img", "iframe", "object", "form", "base"})
    assert not re.search(r"<[^>]* (style|src|on\w+)=", HTML)
    assert targets == {"openapi.json"}


def test_the_policy_of_the_page_lets_its_own_style_through_alone() -> None:
    policy = reference_as_html("0").security_policy

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_other_pages_of_docs_are_named_on_the_page() -> None:
    assert '<span title="docs/proxies.md">proxies.md</span>' in HTML


def test_anchors_are_made_as_github_makes_them() -> None:
    assert slug("How long it will take") == "how-long-it-will-take"
    assert slug("POST /v1/download/jobs/{job_id}/cancel") == "post-v1downloadjobsjob_idcancel"
