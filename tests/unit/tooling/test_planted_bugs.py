"""The planted bugs fit the code that is here, and the script that plants them is not fooled by what finds none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import mutate
from scripts.planted import NAME, ROOT, Bug, DoesNotApply, bugs

BUGS_MIN, KEPT_MIN = 60, 10


def bug(old: str, new: str = "pass\n") -> Bug:
    return Bug(name="a-bug", sentence="Somebody loses.", file="wire/chain.py", old=old, new=new, tests=())


def test_every_planted_bug_applies_to_the_code_and_leaves_python() -> None:
    broken = []
    for one in bugs():
        try:
            changed = one.put_into((ROOT / one.file).read_text(encoding="utf-8"))
            compile(changed, one.file, "exec")
        except (DoesNotApply, SyntaxError) as error:
            broken.append(str(error))
    assert broken == []


def test_every_planted_bug_says_what_goes_wrong_and_where_to_look() -> None:
    names = [one.name for one in bugs()]
    assert len(set(names)) == len(names) >= BUGS_MIN
    assert sum(one.kept for one in bugs()) >= KEPT_MIN
    for one in bugs():
        assert re.match(NAME, one.name), one.name
        assert one.sentence[0].isupper(), one.name
        assert one.sentence.endswith("."), one.name
        assert one.tests, one.name
        assert all((ROOT / path).exists() for path in one.tests), one.name


def test_the_page_names_every_planted_bug() -> None:
    page = (ROOT / "docs/mutants.md").read_text(encoding="utf-8")
    assert [one.name for one in bugs() if f"| `{one.name}`" not in page or one.sentence not in page] == []


def test_a_bug_whose_text_is_gone_or_stands_twice_is_not_passed_over() -> None:
    source = "one()\ntwo()\ntwo()\n"
    assert bug("one()\n").put_into(source) == "pass\ntwo()\ntwo()\n"
    with pytest.raises(DoesNotApply, match="stands 0 times"):
        bug("three()\n").put_into(source)
    with pytest.raises(DoesNotApply, match="stands 2 times"):
        bug("two()\n").put_into(source)
    with pytest.raises(DoesNotApply, match="is no Python"):
        bug("one()\n", "one(\n").put_into(source)


@pytest.mark.parametrize(
    ("why", "exception"),
    [
        ("assert 1 == 2", False),
        ("AssertionError: two facts are missing", False),
        ("Failed: DID NOT RAISE <class 'wire.envelope.NotSealed'>", False),
        ("TypeError: 'NoneType' object is not iterable", True),
        ("sqlite3.IntegrityError: UNIQUE constraint failed", True),
        ("edge_agent.store.connection.StoreCorrupt: the journal has a gap", True),
        ("StopIteration", True),
        ("wire.site_envelope.Forged: said before", True),
    ],
)
def test_an_exception_finds_no_bug(why: str, exception: bool) -> None:
    assert mutate.is_exception(why) is exception


def test_the_checker_is_read_from_what_the_world_says() -> None:
    said = "12 s  3 lanes  0 violations\nviolation: cap-in-sum: 31 of 30\nviolation: other: x\n"
    assert mutate.checker_in(said) == "cap-in-sum"
    assert mutate.checker_in("a violation: of style\nviolation\n") == ""


def test_a_planted_bug_is_found_in_a_copy_and_the_code_stays_as_it_was(tmp_path: Path) -> None:
    (one,) = (one for one in bugs() if one.name == "answer-known-by-its-numbers-alone")
    before = (ROOT / one.file).read_bytes()
    arguments = ["--tests-only", "--scratch", str(tmp_path), one.name]
    assert mutate.main(arguments) == 0
    assert (ROOT / one.file).read_bytes() == before
    results = mutate.Results(tmp_path / "results.jsonl", resume=True)
    assert "test_wire_uplink.py::" in results.finder(one, "tests")
    assert results.get(one, "world") is None
