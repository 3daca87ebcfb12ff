from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from llm_banking.identity.errors import PasswordRefusedError
from llm_banking.identity.passwords import (
    MAX_LENGTH,
    MIN_LENGTH,
    check_new_password,
    common_words,
    is_common,
    normalised,
)

GOOD = "plum kettle orbits the quiet harbour"
CONTEXT = ("zoe.quill@example.com", "Zoe Quill")


def check(password: str, *, has_second_factor: bool = False) -> str:
    return check_new_password(password, has_second_factor=has_second_factor, context=CONTEXT)


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "correct horse battery staple",
        "83749502847562910374",
        "kupqj-mrtzd-x8n2w",
        "ÄpfelÖlÜberßtraße",
        "пароль моей бабушки",
        "🦊🐢🦜🐌🐙🦔🐝🦋🐞🐠🦑🦀🐡🐬🦈",
        "monkey dragon sunshine princess",
    ],
)
def test_length_is_enough(password: str) -> None:
    assert check(password) == normalised(password)


@pytest.mark.parametrize(
    "password",
    [
        "password1234567",
        "P@ssw0rd2024!!!",
        "passwordpassword",
        "qwertyuiopasdfg",
        "1q2w3e4r5t6y7u8i",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "hkq7zhkq7zhkq7z",
        "abcdefghijklmnopq",
        "1234567890123456",
        "2024-2025-2026-2027",
        "iloveyou12345678",
        "Summer2024Summer2024",
        "my password 2024!",
        "Welcome to the Bank 1!",
        "llm-banking-2026!",
        "LLMBankingAssistant",
        "zoe.quill@example.com",
        "ZoeQuill20010101",
        "quillquillquill!",
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefusedError) as caught:
        check(password)
    assert password not in caught.value.message


def test_a_name_is_common_only_for_its_owner() -> None:
    password = "ZoeQuill20010101"
    assert is_common(password, context=CONTEXT)
    assert not is_common(password)


@pytest.mark.parametrize(
    ("length", "has_second_factor", "good"),
    [(14, False, False), (15, False, True), (7, True, False), (8, True, True), (128, False, True), (129, False, False)],
)
def test_the_bounds_of_the_length(length: int, *, has_second_factor: bool, good: bool) -> None:
    letters = "kqzxvjwphgbmtdrflnscykuqoieza"
    password = "".join(letters[at * at % len(letters)] + letters[at % 7] for at in range(length))[:length]
    if good:
        assert check(password, has_second_factor=has_second_factor)
        return
    with pytest.raises(PasswordRefusedError, match="characters"):
        check(password, has_second_factor=has_second_factor)


def test_the_length_counts_after_normalisation() -> None:
    decomposed = "e\u0301a\u0300o\u0302u\u0308i\u0301c\u0327n\u0303"
    assert len(decomposed) == 14
    with pytest.raises(PasswordRefusedError):
        check(decomposed + decomposed[:-2])
    assert check("ﬁ" * 3 + "xylophonequartz") == "fi" * 3 + "xylophonequartz"


@examples(deadline=None)
@given(st.sampled_from(sorted(common_words())), st.integers(1900, 2100), st.sampled_from(["", "!", "!!!", "123", "1"]))
def test_no_common_word_with_a_year_and_a_mark_may_be_set(word: str, year: int, mark: str) -> None:
    for password in (f"{word}{year}{mark}", f"{word.title()}{word}{year}{mark}", f"{year}{word.upper()}{mark}"):
        assert is_common(password)


def test_the_patterns_cover_more_than_three_thousand_passwords() -> None:
    """ASVS 5.0, 6.2.4 asks for the 3000 likeliest that the length rules let through."""
    ends = ["1234567", "12345678", "123456789", "2024!", "20242025", "00000000", "!!!!!!!!", "qwertyui"]
    made = {word + end for word in common_words() for end in ends}
    made |= {word * (MIN_LENGTH // len(word) + 1) for word in common_words()}
    long_enough = {password for password in made if MIN_LENGTH <= len(password) <= MAX_LENGTH}
    assert len(long_enough) > 1_000
    assert len(made) > 3_000
    assert [password for password in made if not is_common(password)] == []


@examples(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_judged_without_failing(text: str) -> None:
    with suppress(PasswordRefusedError):
        assert len(check(text)) <= MAX_LENGTH


@examples(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=15, max_size=30))
def test_every_way_to_write_a_password_is_one_password(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
