"""Cases of filters for make_scoring_goldens.py."""

import random
import types

ANSWERS = [
    "The total is 5 + 3 = 8.\n#### 8",
    "#### 1,234.50",
    "no number here",
    "#### -7\n#### 9",
    "I think it is $42. So the answer is 42.",
    "",
    "  (B) because  ",
    "answer: (C)",
    "The answer is Paris",
    "guilty of romance",
    "Guilty",
    ": B",
    "Ünïcode ÄÖ",
    "True and False",
    "yes\n",
    "NO",
    "12 apples, 7 pears",
    "[('the', 'DET'), ('cat', 'NOUN')]",
    "persons: Ada, none $$ places: Rome, Paris $$ date: none",
    "time: 1999\nlocation: Nairobi",
    "List: pear apple fig apple",
    "x" * 40,
    "#### ",
    "####  3",
]
NUMBERS = [
    "there are seven",
    "Twenty-three items",
    "one hundred and five",
    "two thousand, three hundred",
    "three million four",
    "forty two thousand six",
    "nineteen",
    "eighty eight",
    "one",
    "I have zero left",
    "a dozen",
    "five, six, seven",
    "hundred",
    "two hundred thousand",
    "one billion",
    "sixteen and",
    "no numbers",
    "fourteen&two",
    "thousand",
    "twenty twenty",
]


def filter_cases():
    from lm_eval.filters import build_filter_ensemble

    pipelines = [
        [("regex", {}), ("take_first", {})],
        [("regex", {"regex_pattern": r"#### (\-?[0-9\.\,]+)"}), ("take_first", {})],
        [("regex", {"group_select": -1, "regex_pattern": r"(-?[$0-9.,]{2,})|(-?[0-9]+)"}), ("take_first", {})],
        [("regex", {"group_select": 0, "regex_pattern": r"(?i)(a)?(zz)?answer", "fallback": "none"})],
        [("regex", {"regex_pattern": r"\b(True|False)\b", "fallback": ""}), ("take_first", {})],
        [("regex", {"regex_pattern": r"[^\s]+"})],
        [("take_first", {}), ("regex", {"regex_pattern": r"\w"})],
        [("remove_whitespace", {}), ("lowercase", {}), ("take_first", {})],
        [("uppercase", {}), ("take_first", {})],
        [("majority_vote", {}), ("take_first", {})],
        [("take_first_k", {"k": 2}), ("majority_vote", {})],
        [("map", {"mapping_dict": {"Guilty": "g", "NO": "0"}, "default_value": "other"}), ("take_first", {})],
        [("map", {"mapping_dict": {"Guilty": "g"}})],
        [("regex_pos", {}), ("take_first", {})],
        [("format_span", {}), ("take_first", {})],
        [("multi_choice_regex", {"regex_pattern": r"(\([A-Z]\))"}), ("take_first", {})],
        [
            (
                "multi_choice_regex",
                {
                    "regex_pattern": r"(\([A-Z]\))",
                    "ignore_case": True,
                    "ignore_punctuation": True,
                    "group_select": 0,
                    "regexes_to_ignore": [r"\bthe\b"],
                },
            ),
            ("take_first", {}),
        ],
    ]
    bbh = [
        [
            (
                "MultiChoiceRegexFilter",
                {"ignore_case": True, "ignore_punctuation": True, "regex_pattern": r"(\([A-Z]\))"},
            ),
            ("take_first", {}),
        ],
        [
            (
                "MapRegexFilter",
                {
                    "ignore_case": True,
                    "regex_pattern_to_value": {r"\b(no|not)\b": "No", r"\byes\b": "Yes", "true": "T"},
                },
            ),
            ("take_first", {}),
        ],
        [("MapRegexFilter", {"group_select": -1, "regex_pattern_to_value": {r"yes|guilty": "Yes", r"\d+": "number"}})],
        [("NumberParseRegexFilter", {"group_select": 0, "regex_pattern": "([-0-9]+)"}), ("take_first", {})],
        [("WordSortFilter", {}), ("take_first", {})],
    ]
    document = {
        "choices": ["Guilty", "Guilty of Romance", "Paris.", "a (weird) one?"],
        "input": "Which?\nOptions:\n(A) Guilty\n(B) Guilty of Romance\n(C) 12 apples\n(D) the end\nList: fig apple pear",
    }
    from lm_eval.tasks.bbh.zeroshot import utils

    rnd = random.Random(1)
    for pipeline in pipelines + bbh:
        sets = [[one] * 2 for one in ANSWERS] + [[rnd.choice(ANSWERS) for _ in range(5)] for _ in range(6)]
        sets += [[text] for text in NUMBERS if pipeline[0][0] == "NumberParseRegexFilter"]
        named = [(getattr(utils, name, name), arguments) for name, arguments in pipeline]
        for answers in sets:
            case = {
                "kind": "filter",
                "steps": [{"function": name, **arguments} for name, arguments in pipeline],
                "responses": answers,
                "document": document,
            }
            yield {**case, "filtered": filtered(build_filter_ensemble, named, answers, document)}
    for pipeline, answers in [([("take_first_k", {"k": 3})], ["a", "b"]), ([("map", {}), ("lowercase", {})], ["a"])]:
        yield {
            "kind": "filter",
            "steps": [{"function": name, **arguments} for name, arguments in pipeline],
            "responses": answers,
            "document": {},
            "filtered": filtered(build_filter_ensemble, pipeline, answers, {}),
        }


def filtered(build, pipeline, answers, document):
    """What a pipeline gives; {"raises": …} where it does not."""
    instance = types.SimpleNamespace(resps=answers, doc=document, filtered_resps={})
    try:
        build("none", [(name, arguments) for name, arguments in pipeline]).apply([instance])
        return instance.filtered_resps["none"]
    except (AssertionError, AttributeError, IndexError, TypeError, ValueError) as problem:
        return {"raises": type(problem).__name__}
