"""The bounded inbox: order, room kept for shoppers, and what overtakes."""

from __future__ import annotations

from edge_agent.inbox import CAPACITY, KEPT_FOR_SHOPPERS, Inbox


def test_events_leave_in_the_order_in_which_they_came() -> None:
    inbox: Inbox[str] = Inbox()
    for item in ("b", "a", "c"):
        assert inbox.put(item)
    assert [inbox.take(0) for _ in range(4)] == ["b", "a", "c", None]


def test_an_acknowledgement_overtakes_a_queue_of_feed_messages() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put_if_room("feed 1")
    inbox.put_if_room("feed 2")
    inbox.put_if_room("ack 1", ahead=True)
    inbox.put_if_room("ack 2", ahead=True)
    assert [inbox.take(0) for _ in range(4)] == ["ack 1", "ack 2", "feed 1", "feed 2"]


def test_messages_of_the_broker_leave_room_for_shoppers_and_are_counted_as_dropped() -> None:
    inbox: Inbox[int] = Inbox()
    taken = sum(inbox.put_if_room(number) for number in range(CAPACITY))
    assert taken == CAPACITY - KEPT_FOR_SHOPPERS + 1
    assert inbox.put(-1)
    assert inbox.dropped == CAPACITY - taken


def test_a_full_inbox_drops_what_comes_and_says_so() -> None:
    inbox: Inbox[int] = Inbox(2)
    assert inbox.put(1)
    assert inbox.put(2)
    assert not inbox.put(3)
    assert inbox.dropped == 1
