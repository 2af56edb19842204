"""The account finds every unexplained loss and never cries wolf."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.account import GRACE, GatewayAccount
from gateway.cli.audit import verdict
from gateway.cli.identity import FIRST, LATEST, RUNS, Identity
from gateway.cli.messages import Fact, Notice, Numbered, Status
from gateway.cli.statement import Missing, Report
from tests.gateway.cli.fake_gateway import FakeGateway

HONEST = ("record", "send_live", "send_history", "repeat", "cut", "drop", "crash", "health", "wait")
WEIGHTED = (*HONEST, *["record"] * 6, *["send_live"] * 3, *["send_history"] * 2, "wait")


def feed(account: GatewayAccount, gateway: FakeGateway) -> None:
    for fact in gateway.facts():
        account.observe(fact, gateway.now)


def settle(account: GatewayAccount, gateway: FakeGateway) -> Report:
    gateway.drain()
    feed(account, gateway)
    return account.report(gateway.now + 2 * GRACE)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WEIGHTED), max_size=120))
def test_an_honest_gateway_is_never_accused(steps: list[str]) -> None:
    gateway, account = FakeGateway(), GatewayAccount("g", whole=True)
    for step in steps:
        getattr(gateway, step)()
        feed(account, gateway)
        assert account.report(gateway.now).lost == 0
        assert account.report(gateway.now, final=True).lost == 0
    report = settle(account, gateway)
    assert (report.lost, report.pending, report.settled) == (0, 0, True)
    assert report.renumbered == 0


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from((*WEIGHTED, "lose", "lose")), max_size=120))
def test_every_silent_loss_is_found_and_no_other(steps: list[str]) -> None:
    gateway, account = FakeGateway(), GatewayAccount("g", whole=True)
    for step in steps:
        getattr(gateway, step)()
        feed(account, gateway)
        assert account.report(gateway.now).lost <= len(gateway.lost)
    report = settle(account, gateway)
    assert report.lost == len(gateway.lost)
    assert report.pending == 0
    if not gateway.wide:
        found = [(m.epoch, n) for m in report.missing for n in range(m.first, m.last + 1)]
        assert sorted(found) == sorted(gateway.lost)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from((*WEIGHTED, "lose")), max_size=60),
    st.lists(st.sampled_from((*WEIGHTED, "lose")), max_size=60),
)
def test_a_consumer_that_comes_later_judges_what_began_after_it(
    before: list[str], after: list[str]
) -> None:
    gateway = FakeGateway()
    for step in before:
        getattr(gateway, step)()
    list(gateway.facts())
    account, sent_before = GatewayAccount("g"), len(gateway.sent)
    for step in after:
        getattr(gateway, step)()
        feed(account, gateway)
    report = settle(account, gateway)
    assert report.lost <= len(gateway.lost)
    heard = gateway.sent[sent_before:]
    live = [i for i, f in enumerate(heard) if isinstance(f, Numbered) and f.lane == "live"]
    if live and not gateway.wide and "repeat" not in after:
        from_here = judged_from(heard[live[0] :])
        assert report.lost == len([key for key in gateway.lost if key > from_here])


def judged_from(heard: list[Fact]) -> tuple[int, int]:
    """Behind the first word of the gateway on how far its numbers go."""
    assert isinstance(heard[0], Numbered)
    for fact in heard:
        if isinstance(fact, Notice) and fact.topic == "health":
            return fact.fields["epoch"], fact.fields["outbox"]["last_seq"]
        if isinstance(fact, Notice):
            return heard[0].epoch, 1 << 62
    raise AssertionError("settling brings a health message")


def entry(seq: int, epoch: int = 1, lane: str = "live", device: str = "d") -> Numbered:
    return Numbered("g", device, "data", lane, epoch, seq, False, {})


def health(last_seq: int, kept: int = 0, oldest_age: float | None = None, epoch: int = 1) -> Notice:
    outbox = {"last_seq": last_seq, "kept": kept, "in_flight": 0, "oldest_age": oldest_age}
    return Notice("g", "health", {"epoch": epoch, "outbox": outbox})


def test_a_hole_is_pending_while_the_gateway_keeps_entries_as_old() -> None:
    account = GatewayAccount("g", whole=True)
    for seq in (1, 2, 4):
        account.observe(entry(seq), 0.0)
    account.observe(health(4, kept=1, oldest_age=100.0), 60.0)
    report = account.report(100.0, final=True)
    assert (report.pending, report.lost, report.settled) == (1, 0, False)
    account.observe(health(4, kept=1, oldest_age=10.0), 120.0)
    assert account.report(120.0 + GRACE).missing == (Missing(1, 3, 3),)


def test_without_any_health_a_hole_is_judged_at_the_end() -> None:
    account = GatewayAccount("g")
    for seq in (1, 2, 4):
        account.observe(entry(seq), 0.0)
    assert account.report(60.0).pending == 1
    assert account.report(60.0, final=True).missing == (Missing(1, 3, 3),)


def test_while_the_gateway_is_offline_a_hole_is_pending() -> None:
    account = GatewayAccount("g")
    for seq in (1, 3):
        account.observe(entry(seq), 0.0)
    account.observe(Status("g", "", False), 1.0)
    assert account.report(60.0, final=True).pending == 1


def test_the_tail_is_missed_too() -> None:
    account = GatewayAccount("g", whole=True)
    account.observe(entry(1), 0.0)
    account.observe(health(3), 1.0)
    account.observe(health(3), 2.0)
    assert account.report(2.0 + GRACE).missing == (Missing(1, 2, 3),)


def test_a_crash_takes_what_was_not_durable_and_is_counted() -> None:
    account = GatewayAccount("g")
    for seq in (1, 2, 5):
        account.observe(entry(seq), 0.0)
    account.observe(
        Notice("g", "about", {"epoch": 2, "previous": {"epoch": 1, "durable_seq": 3}}), 1
    )
    account.observe(entry(3, lane="history"), 2.0)
    account.observe(entry(1, epoch=2), 2.0)
    account.observe(Notice("g", "health", {"epoch": 2, "outbox": {"last_seq": 1, "kept": 0}}), 3.0)
    report = account.report(60.0)
    assert (report.lost, report.explained) == (0, {"crash": 1})


def test_a_thinned_span_explains_as_many_as_it_counts() -> None:
    account = GatewayAccount("g", whole=True)
    for seq in (1, 3, 5, 8):
        account.observe(entry(seq), 0.0)
    gap = {"reason": "thinned", "gap_epoch": 1, "first_seq": 2, "last_seq": 6, "count": 3}
    account.observe(Numbered("g", "", "gap", "live", 1, 9, False, gap), 0.0)
    account.observe(health(9), 1.0)
    report = account.report(60.0)
    assert (report.explained, report.missing) == ({"thinned": 3}, (Missing(1, 7, 7),))


def test_a_result_and_its_state_are_one_entry_and_no_duplicate() -> None:
    account = GatewayAccount("g", whole=True)
    for kind in ("state", "result", "state", "result"):
        account.observe(Numbered("g", "relay", kind, "live", 1, 1, False, {}), 0.0)
    report = account.report(0.0)
    assert (report.received, report.duplicates) == (1, 2)


def test_what_the_broker_retained_neither_begins_the_account_nor_counts_twice() -> None:
    account = GatewayAccount("g")
    account.observe(Numbered("g", "relay", "state", "live", 1, 11, True, {}), 0.0)
    account.observe(entry(10), 0.0)
    account.observe(entry(12), 0.0)
    account.observe(health(12), 1.0)
    report = account.report(60.0)
    assert (report.lost, report.duplicates, report.earlier) == (0, 0, 0)


def test_order_is_judged_in_a_device_and_a_lane() -> None:
    account = GatewayAccount("g", whole=True)
    for one in (entry(2), entry(1, device="e"), entry(3, lane="history"), entry(5), entry(4)):
        account.observe(one, 0.0)
    assert account.report(0.0).disordered == 1


def test_after_a_blind_spell_the_account_begins_anew_and_forgets_no_loss() -> None:
    account = GatewayAccount("g", whole=True)
    for seq in (1, 3):
        account.observe(entry(seq), 0.0)
    account.observe(health(3), 1.0)
    assert account.report(20.0).lost == 1
    account.blinded(20.0)
    for seq in (50, 51):
        account.observe(entry(seq), 21.0)
    report = account.report(60.0, final=True)
    assert (report.missing, report.received, report.blind) == ((Missing(1, 2, 2),), 4, 1)


def test_numbers_that_go_back_to_an_earlier_epoch_are_no_success() -> None:
    """A new card in a gateway whose clock was never set, or two gateways of one id."""
    account = GatewayAccount("g")
    account.observe(entry(10, epoch=7), 0.0)
    account.observe(entry(12, epoch=7), 1.0)
    account.observe(health(1, epoch=1), 2.0)
    account.observe(entry(2, epoch=1), 2.0)
    account.observe(health(2, epoch=1), 3.0)
    for seq in (3, 5):
        account.observe(entry(seq, epoch=1), 4.0)
    account.observe(health(5, epoch=1), 5.0)
    report = account.report(60.0, final=True)
    assert (report.epoch, report.renumbered, report.received) == (1, 1, 5)
    assert report.missing == (Missing(1, 4, 4),)
    assert verdict([replace(report, missing=())], until_settled=False) == 1


def test_backlog_of_an_earlier_epoch_is_no_numbering_that_went_back() -> None:
    account = GatewayAccount("g")
    account.observe(entry(10, epoch=7), 0.0)
    account.observe(entry(3, epoch=6, lane="history"), 1.0)
    account.observe(health(10, epoch=7), 2.0)
    report = account.report(60.0, final=True)
    assert (report.renumbered, verdict([report], until_settled=False)) == (0, 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WEIGHTED), max_size=60))
def test_entries_alone_tell_that_numbers_are_given_again(steps: list[str]) -> None:
    """A card put back from an old image, with an epoch that is the newest that was heard; no health
    comes. It shows as soon as a number comes that another entry had."""
    gateway, account = FakeGateway(), GatewayAccount("g", whole=True)
    for step in steps:
        if step != "health":
            getattr(gateway, step)()
        feed(account, gateway)
    heard = {f.seq for f in gateway.sent if isinstance(f, Numbered) and f.epoch == gateway.epoch
             and f.kind == "data" and f.seq <= FIRST}  # fmt: skip
    gateway.restore()
    for seq in range(1, 10):
        gateway.record()
        gateway.send_live()
        feed(account, gateway)
        told = account.report(gateway.now).renumbered
        assert told or not heard & set(range(1, seq + 1))


def data(seq: int, lane: str = "live", epoch: int = 7, **fields: object) -> Numbered:
    return Numbered("g", "d", "data", lane, epoch, seq, False, {"seq": seq, **fields})


def told(*facts: Fact) -> int:
    account = GatewayAccount("g")
    for at, fact in enumerate(facts):
        account.observe(fact, float(at))
    return account.report(60.0).renumbered


def test_another_entry_under_a_number_is_told_wherever_it_is_remembered() -> None:
    assert told(data(1, temperature=21.4), data(2), data(1, temperature=21.5)) == 1
    assert told(data(900, temperature=21.4), data(900, temperature=21.5)) == 1
    assert told(data(1, epoch=6), data(1), data(1, "history", epoch=6)) == 0
    assert told(data(3), Numbered("g", "door", "alarm", "live", 7, 3, False, {})) == 1
    assert told(data(3), Numbered("g", "d", "state", "live", 7, 3, False, {})) == 1


def test_what_was_first_kept_by_the_broker_tells_too() -> None:
    kept = Numbered("g", "door", "alarm", "live", 7, 3, True, {"state": "raised"})
    assert told(kept, data(2), data(3)) == 1


def test_a_double_is_no_other_entry() -> None:
    """Its time may have been corrected meanwhile, and a dialect may write it otherwise."""
    one = data(3, temperature=21.0, time="2026-11-23T14:00:00.000Z", clock="unsynchronised")
    two = data(3, "history", temperature=21, time="2026-11-24T14:00:00.000Z")
    assert told(one, two, one) == 0
    assert told(data(3, text=21), data(3, "history", text="21")) == 0
    assert told(data(3, sun=None), data(3, "history", sun=3.5, sun_quality="bad")) == 0
    answers = [Numbered("g", "d", kind, "live", 7, 3, False, {}) for kind in ("state", "result")]
    assert told(*answers, *answers) == 0


def about(epoch: int, started: str, boot: str = "b0071d00") -> Notice:
    return Notice("g", "about", {"epoch": epoch, "boot": boot, "started": started})


def test_two_runs_of_one_epoch_are_told() -> None:
    """Without a single entry, and where the epoch is the newest: health cannot tell."""
    assert told(about(7, "12:00"), about(8, "13:00"), about(8, "14:00"), health(3, epoch=8)) == 1
    assert told(about(7, "12:00"), about(7, "12:00"), about(8, "13:00"), about(7, "12:00")) == 0
    assert told(about(7, "12:00"), about(7, "12:00", boot="b0071d01")) == 1


def test_what_is_remembered_is_bounded() -> None:
    identity = Identity()
    for epoch in range(1, 3 * RUNS):
        assert not identity.contradicts(about(epoch, "12:00"), 0)
        for seq in (1, FIRST, FIRST + epoch, 10 * FIRST + epoch):
            assert not identity.contradicts(data(seq, epoch=epoch), 0)
    for seq in range(FIRST, 2 * LATEST):
        assert not identity.contradicts(data(seq, epoch=1000), 0)
    assert len(identity._runs) <= RUNS + 1
    assert len(identity._first) <= RUNS + 1
    assert len(identity._latest) <= LATEST + 1
