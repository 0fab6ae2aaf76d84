import pytest

from epkit.core.near import LONGEST, hint, nearest, not_one_of, suggestion


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("fromat", ["format", "rate"], "format"),
        ("AUk", ["accuracy", "AUC"], "AUC"),
        ("JSON", ["text", "json"], "json"),
        ("conc", ["concurrency", "cookie"], "concurrency"),
        ("co", ["concurrency"], None),
        ("con", ["concurrency", "connect-to-somewhere"], None),
        ("-z", ["-c", "-Z"], "-Z"),
        ("zzz", ["text", "json"], None),
        ("", ["text"], None),
        ("a" * LONGEST, ["a" * LONGEST], "a" * LONGEST),
        ("a" * (LONGEST + 1), ["a" * LONGEST], None),
        ("a" * LONGEST, ["a" * (LONGEST + 1)], None),
    ],
)
def test_the_nearest_name_is_found(word, known, near):
    assert near == nearest(word, known)


def test_it_is_worded_as_a_question_or_by_what_there_is():
    assert '; did you mean "json"?' == suggestion("jsn", ["text", "json"])
    assert "" == suggestion("zzz", ["text", "json"])
    assert 'did you mean "job"?' == hint("jbo", ["age", "job"])
    assert "it has age, job" == hint("zzz", ["age", "job"])
    assert "there are age, job" == hint("zzz", ["age", "job"], there="there are")
    assert 200 == len(hint("zzz", ["x" * 300])) - len("it has ")
    assert '--format jsn: not one of text, json; did you mean "json"?' == str(
        not_one_of("--format", "jsn", iter(["text", "json"]))
    )
