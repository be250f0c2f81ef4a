"""How words sound, however they are written: kana, Hepburn, Kunrei, half typed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kessai.search.domain.folding import fold, runs
from kessai.search.domain.morae import letters, morae, pairs
from kessai.search.domain.planner import begun_sounds
from kessai.search.domain.romaji import hear


def sound(kana: str) -> str:
    return letters(morae(fold(kana)))


@pytest.mark.parametrize(
    ("kana", "latin"),
    [
        ("きゅうす", ["kyuusu", "kyusu", "kyūsu"]),
        ("スニーカー", ["sunikaa", "suniikaa", "sunika"]),
        ("コーヒー", ["koohii", "kouhii", "kohi"]),
        ("まっちゃ", ["matcha", "maccha", "mattya"]),
        ("しょうゆ", ["shouyu", "syouyu", "shoyu"]),
        ("ちゃわん", ["chawan", "tyawan", "cyawan"]),
        ("ふろしき", ["furoshiki", "hurosiki"]),
        ("つつ", ["tsutsu", "tutu"]),
        ("じしょ", ["jisho", "zisyo"]),
        ("えんぴつ", ["enpitsu", "empitsu", "enpitu"]),
        ("しんぶん", ["shinbun", "shimbun", "sinbun"]),
        ("こんにゃく", ["konnyaku", "konnnyaku"]),
        ("ファイル", ["fairu"]),
        ("ヴァイオリン", ["vaiorin", "baiorin"]),
        ("ティーバッグ", ["tiibaggu", "tibagu"]),
        ("ウィスキー", ["wisukii", "uisuki"]),
        ("ラーメン", ["raamen", "ramen", "lamen"]),
    ],
)
def test_latin_letters_sound_like_the_kana(kana: str, latin: list[str]) -> None:
    for spelt in latin:
        heard = hear(fold(spelt))
        assert heard is not None, spelt
        assert letters(heard.sounds) == sound(kana), spelt


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("コーヒー", "こうひい"),
        ("ヘッドフォン", "ヘッドホン"),
        ("ヴァイオリン", "バイオリン"),
        ("ウィスキー", "ういすきー"),
        ("づつ", "ずつ"),
        ("おおきい", "おーきー"),
    ],
)
def test_two_ways_of_writing_one_sound(one: str, other: str) -> None:
    assert sound(one) == sound(other)


@pytest.mark.parametrize("latin", ["sneaker", "zzzzzz", "xyz", "strength", "hmm"])
def test_what_is_no_japanese(latin: str) -> None:
    assert hear(latin) is None


@pytest.mark.parametrize(
    ("typed", "starts"),
    [
        ("k", ["k"]),
        ("ky", ["ky"]),
        ("き", ["ki", "ky"]),
        ("きゅ", ["kyu"]),
        ("にk", ["nik"]),
        ("しょ", ["syo"]),
        ("sh", ["sy", "si"]),
        ("ふろsh", ["hurosy", "hurosi"]),
        ("すにーk", ["sunik"]),
        ("急", []),
    ],
)
def test_what_a_half_typed_word_begins_like(typed: str, starts: list[str]) -> None:
    assert begun_sounds(list(runs(fold(typed)))) == starts


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="きゅうすにーかっちゃんぎょくろ", min_size=1, max_size=12))
def test_a_prefix_of_kana_is_a_prefix_of_its_letters(kana: str) -> None:
    """Unless it ends inside of a sound: き of きゅ."""
    for end in range(1, len(kana)):
        if kana[end] not in "ゅゃょぉーう":
            assert sound(kana).startswith(sound(kana[:end]))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text(alphabet=[*map(chr, range(0x3041, 0x3097)), "ー"], max_size=8), st.integers(0, 8))
def test_of_a_beginning_at_most_the_last_letter_sounds_otherwise(kana: str, length: int) -> None:
    """By this a title is read no further than it may still sound like what was looked for."""
    assert sound(kana).startswith(sound(kana[:length])[:-1])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", max_size=30))
def test_any_letters_are_heard_or_not_and_never_fail(latin: str) -> None:
    heard = hear(latin)
    assert heard is None or all(token for token in pairs(heard.sounds))
