"""What every adapter is asked whose vendor sends receipts or replies to our door; none of it needs a server."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice, permutations

import pytest

from messaging.providers.base import Answer, Forged, Hears, Hook, Malformed, Provider, Receipt
from messaging.receipts import combine
from tests.providers.exam import Door, Heard

Question = Callable[[Provider, Door], None]
MOST_ORDERS = 200
LATE = timedelta(hours=5)


def questions(door: Door) -> Iterator[tuple[str, Question]]:
    """The name of each question for this door, and the question."""
    yield from (
        (f"{kind} {name}", reads(heard))
        for kind, table in (("receipt", door.receipts), ("reply", door.replies), ("other", door.others))
        for name, heard in table.items()
    )
    yield "parts", reads_parts
    yield "unknown_status", says_nothing
    yield from ((f"malformed {number}", refuses(hook)) for number, hook in enumerate(door.malformed, 1))
    yield "any_order", ends_the_same
    yield ("forged", finds_forgeries) if door.sign else ("unsigned", is_known_by_the_path)


def hears(provider: Provider) -> Hears:
    """The same, which must hear."""
    assert isinstance(provider, Hears), "an adapter with a door has verify, read and answer"
    return provider


def hooks(door: Door) -> list[Heard]:
    """All requests of the tables that say something."""
    return [*door.receipts.values(), *door.replies.values(), *door.others.values(), *door.parts]


def reads(heard: Heard) -> Question:
    """It passes, says what the table says, each time it is read, and gets an answer."""

    def question(provider: Provider, door: Door) -> None:
        adapter = hears(provider)
        adapter.verify(heard.hook)
        assert list(adapter.read(heard.hook)) == list(heard.says)
        assert list(adapter.read(heard.hook)) == list(heard.says), "reading is pure"
        assert isinstance(adapter.answer(heard.hook), Answer)

    return question


def reads_parts(provider: Provider, door: Door) -> None:
    """The receipts of a message's parts are read like any."""
    for heard in door.parts:
        reads(heard)(provider, door)


def says_nothing(provider: Provider, door: Door) -> None:
    """A status that no table has changes nothing, and the door still takes it."""
    adapter = hears(provider)
    adapter.verify(door.unknown)
    assert list(adapter.read(door.unknown)) == []
    assert isinstance(adapter.answer(door.unknown), Answer)


def refuses(hook: Hook) -> Question:
    """What the vendor cannot have meant raises, and repeats nothing of it."""

    def question(provider: Provider, door: Door) -> None:
        adapter = hears(provider)
        adapter.verify(hook)
        with pytest.raises(Malformed) as refused:
            list(adapter.read(hook))
        body = hook.body.decode(errors="replace")
        assert len(body) < 4 or body not in str(refused.value)

    return question


def ends_the_same(provider: Provider, door: Door) -> None:
    """In any order, twice, hours late and part by part, the receipts of one message end in one state."""
    about: dict[str, list[Receipt]] = defaultdict(list)
    for heard in (*door.receipts.values(), *door.parts):
        late = replace(heard.hook, received_at=heard.hook.received_at + LATE)
        for receipt, again in zip(_receipts(provider, heard.hook), _receipts(provider, late), strict=True):
            assert replace(again, at=receipt.at) == receipt, "only the time may depend on when it came"
            about[receipt.reference or receipt.provider_message_id].append(receipt)
    assert about or not door.receipts
    for receipts in about.values():
        ends = {combine(order) for order in islice(permutations(receipts), MOST_ORDERS)}
        ends |= {combine(order + order[:1]) for order in islice(permutations(receipts), MOST_ORDERS)}
        assert len(ends) == 1, ends


def _receipts(provider: Provider, hook: Hook) -> Sequence[Receipt]:
    return [said for said in hears(provider).read(hook) if isinstance(said, Receipt)]


def finds_forgeries(provider: Provider, door: Door) -> None:
    """A changed body, signature or, where that is signed, URL is told from the vendor's own."""
    adapter, sign = hears(provider), door.sign
    assert sign
    for heard in hooks(door):
        if not heard.hook.body:
            continue  # what carries no body says nothing of a message, or is known by its URL
        adapter.verify(heard.hook)
        names = _signed_by(sign, heard.hook)
        forged = [replace(heard.hook, body=heard.hook.body + b" "), replace(heard.hook, headers={})]
        forged += [_with(heard.hook, name, _bent(heard.hook.headers[name])) for name in names]
        forged += [_with(heard.hook, name, "Ã") for name in names]
        if door.signs_url:
            forged.append(replace(heard.hook, url=f"{heard.hook.url}{'&' if '?' in heard.hook.url else '?'}more=1"))
        for hook in forged:
            with pytest.raises(Forged):
                adapter.verify(hook)


def _signed_by(sign: Callable[[Hook], Hook], hook: Hook) -> list[str]:
    """The headers that depend on the body: the signatures."""
    other = sign(replace(hook, body=hook.body + b" ")).headers
    names = [name for name, value in hook.headers.items() if other.get(name) != value]
    assert names, "what is signed carries a signature"
    return names


def _bent(value: str) -> str:
    """The same with one character in its midst replaced."""
    middle = len(value) // 2
    return f"{value[:middle]}{'A' if value[middle] != 'A' else 'B'}{value[middle + 1 :]}"


def _with(hook: Hook, name: str, value: str) -> Hook:
    return replace(hook, headers={**hook.headers, name: value})


def is_known_by_the_path(provider: Provider, door: Door) -> None:
    """A vendor that signs nothing is known by the door's secret path: nothing in a request is held against it."""
    for heard in hooks(door):
        hears(provider).verify(replace(heard.hook, headers={}))
