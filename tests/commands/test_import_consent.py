"""Whole lists of what people said, brought in by the command; and the ledger as a file."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers import consent, consent_export, consent_import
from customers.consent import Fact
from customers.models import Channel, ConsentEvent, ConsentState

pytestmark = pytest.mark.django_db
Run = Callable[..., str]

ANN, BEA = "+254712345678", "+254712345679"


@pytest.fixture
def run(tmp_path: Path, settings: Any) -> Run:
    """Import this text by the command; what it printed."""
    settings.CLARION_VAR = tmp_path / "var"

    def command(content: str, state: str = "opted_out", *arguments: str) -> str:
        path = tmp_path / "said.csv"
        path.write_text(content)
        out = io.StringIO()
        call_command("import_consent", str(path), "--state", state, "--channel", "sms", *arguments, stdout=out)
        return out.getvalue()

    return command


def refused(tmp_path: Path) -> list[dict[str, str]]:
    [path] = (tmp_path / "var" / "imports").iterdir()
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))


def test_who_opted_out_elsewhere_is_known_here(run: Run) -> None:
    printed = run("Phone;Name\n0712 345 678;Ann\n+254712345679;Bea\n")

    assert "2 records: 2 added, 0 known before, 0 refused." in printed
    assert {consent.state(phone, "sms") for phone in (ANN, BEA)} == {ConsentState.OPTED_OUT}
    assert set(ConsentEvent.objects.values_list("source", flat=True)) == {"import"}


def test_times_and_notes_are_kept_and_a_second_import_adds_nothing(run: Run) -> None:
    content = f"phone,at,note\n{ANN},2025-03-01T09:00:00+03:00,letter\n{BEA},2025-03-02,\n"

    run(content)
    again = run(content)

    assert "2 records: 0 added, 2 known before, 0 refused." in again
    [ann, bea] = ConsentEvent.objects.order_by("phone")
    assert (ann.at, ann.note) == (datetime(2025, 3, 1, 6, tzinfo=UTC), "letter")
    assert bea.at == datetime(2025, 3, 2, tzinfo=UTC)


def test_an_older_list_revives_nobody(run: Run) -> None:
    consent.opt_out(phone=ANN, channel="sms", source="reply", at=timezone.now() - timedelta(days=1))

    run(f"phone,at\n{ANN},2024-01-01\n", "opted_in")

    assert consent.state(ANN, "sms") == ConsentState.OPTED_OUT
    assert consent.history(ANN).count() == 2


def test_an_opt_in_of_which_nobody_says_when_revives_nobody_who_said_stop(run: Run, tmp_path: Path) -> None:
    consent.opt_out(phone=ANN, channel="sms", source="reply")
    consent.opt_out(phone=BEA, channel="whatsapp", source="reply")

    printed = run(f"phone,at\n{ANN},\n{BEA},\n", "opted_in")

    assert "2 records: 1 added, 0 known before, 1 refused." in printed
    assert consent.state(ANN, "sms") == ConsentState.OPTED_OUT
    assert consent.state(BEA, "sms") == ConsentState.OPTED_IN
    [line] = refused(tmp_path)
    assert (line["line"], line["column"]) == ("2", "at")
    assert "has opted out" in line["reason"]


def test_of_repeats_the_latest_counts_in_whatever_slice_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent_import, "SLICE", 2)
    said = [(ANN, "2025-05-01"), (BEA, "2025-01-01"), (ANN, "2025-02-01"), (ANN, "2025-06-01"), (BEA, "2025-01-01")]
    printed = run("phone,at\n" + "".join(f"{phone},{day}\n" for phone, day in said))

    assert "5 records: 3 added, 2 known before, 0 refused." in printed
    [latest, *_] = consent.history(ANN)
    assert latest.at == datetime(2025, 6, 1, tzinfo=UTC)


def test_a_line_that_cannot_be_read_is_refused_and_the_others_go_on(run: Run, tmp_path: Path) -> None:
    tomorrow = (timezone.now() + timedelta(days=2)).date()
    printed = run(
        f"phone,at,state\n12,,\n{ANN},yesterday,\n{ANN},2025-01-01T09:00:00,\n{ANN},{tomorrow},\n{ANN},,opted_in\n"
        f"{ANN}\n\n{BEA},,OPTED_OUT\n"
    )

    assert "7 records: 1 added, 0 known before, 6 refused." in printed
    lines = refused(tmp_path)
    assert [line["line"] for line in lines] == ["2", "3", "4", "5", "6", "7"]
    assert [line["column"] for line in lines] == ["phone", "at", "at", "at", "state", ""]
    assert consent.state(ANN, "sms") is None
    assert consent.state(BEA, "sms") == ConsentState.OPTED_OUT


@pytest.mark.parametrize("content", ["Name\nAnn\n", "", "\n\n"])
def test_a_file_without_phones_stores_nothing_and_says_so(run: Run, content: str) -> None:
    with pytest.raises(CommandError, match="Nothing was stored"):
        run(content)
    assert not ConsentEvent.objects.exists()


def test_a_state_or_a_channel_that_is_none_is_refused(run: Run) -> None:
    with pytest.raises(CommandError, match="opted_maybe"):
        run("phone\n", "opted_maybe")
    with pytest.raises(CommandError, match="region"):
        run("phone\n", "opted_in", "--region", "XX")


def test_the_exported_ledger_can_be_read_and_is_read_back_by_parts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent_export, "PAGE", 2)
    consent.opt_out(phone=ANN, channel="sms", source="reply", words="=HYPERLINK(1)", note="+1+1", message_id=4, by=5)
    consent.opt_in(phone=ANN, channel="whatsapp", source="api")
    consent.opt_out(phone=BEA, channel="sms", source="@evil")

    content = "".join(consent_export.lines())

    assert content.startswith("\ufeffevent,phone,channel,state,source,words,message,user,note,at,recorded_at")
    ann, _whatsapp, bea = csv.DictReader(io.StringIO(content.removeprefix("\ufeff")))
    assert (ann["phone"], ann["words"], ann["note"], ann["message"], ann["user"]) == (
        ANN, "'=HYPERLINK(1)", "'+1+1", "4", "5",
    )  # fmt: skip
    assert bea["source"] == "'@evil"
    assert ann["at"].endswith("Z")
    assert "3 records: 0 added, 2 known before, 1 refused." in run(content)


def test_a_dry_run_says_what_would_be_and_stores_nothing(run: Run, tmp_path: Path) -> None:
    printed = run(f"phone\n{ANN}\n12\n", "opted_out", "--dry-run")

    assert "Nothing was stored. An import would give:\n2 records: 1 added, 0 known before, 1 refused." in printed
    assert [line["line"] for line in refused(tmp_path)] == ["3"]
    assert not ConsentEvent.objects.exists()


SAID = st.tuples(st.sampled_from([ANN, BEA]), st.sampled_from(["", "2025-01-01", "2025-01-02", "2025-01-03"]))
KNOWN = st.tuples(st.sampled_from([ANN, BEA]), st.sampled_from(ConsentState), st.integers(1, 3))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.lists(KNOWN, max_size=3), said=st.lists(SAID, max_size=7), state=st.sampled_from(ConsentState))
def test_a_dry_run_foretells_the_import(
    tmp_path: Path, known: list[tuple[str, ConsentState, int]], said: list[tuple[str, str]], state: ConsentState
) -> None:
    path = tmp_path / "said.csv"
    path.write_text("phone,at\n" + "".join(f"{phone},{day}\n" for phone, day in said))
    found = []
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(consent_import, "SLICE", 2)
        for phone, before, day in known:
            consent.record([Fact(phone, Channel.SMS, before, "reply", at=datetime(2025, 1, day, tzinfo=UTC))])
        for dry_run in (True, False):
            refusals = tmp_path / f"{dry_run}.csv"
            refusals.unlink(missing_ok=True)
            summary = consent_import.import_file(
                path, state=state, channel=Channel.SMS, region="KE", refusals=refusals, dry_run=dry_run
            )
            found.append((summary.records, summary.added, summary.known, summary.refused))
        transaction.set_rollback(True)
    assert found[0] == found[1]
