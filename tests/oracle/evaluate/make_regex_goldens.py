#!/usr/bin/env python3
"""Makes the reference matches of regular expressions: what `re` of CPython 3.11 finds, replaces and splits.

    make_regex_goldens.py OUT.json

The patterns are those of the harness's tasks and what else `re` knows. Needs nothing beyond Python.
"""

import json
import pathlib
import re
import sys

PATTERNS = [  # pattern, flags
    (r"#### (\-?[0-9\.\,]+)", ""),
    (r"(-?[$0-9.,]{2,})|(-?[0-9]+)", ""),
    (r"\s*", ""),
    (r"a*", ""),
    (r"^\s*\*[^\*].*$", "m"),
    (r"^\s*-.*$", "m"),
    (r"\s?\*\*\*\s?", ""),
    (r"^", "m"),
    (r"$", "m"),
    (r"$", ""),
    (r"\b", ""),
    (r"\B", ""),
    (r"\w+", ""),
    (r"\w+", "a"),
    (r"[^\W\d]+", ""),
    (r"(?i)the answer is (\w+)", ""),
    (r"(?i:the) answer", ""),
    (r"(?P<a>\w)(?P=a)", ""),
    (r"[[]x]?", ""),
    (r"\d{,2}", ""),
    (r"\d{2,}?", ""),
    (r"\Z", ""),
    (r"\A.", ""),
    (r"(?s).*#### ", ""),
    (r".*?(\.)\s", ""),
    (r"\s", ""),
    (r"\S+", ""),
    (r"\w", ""),
    (r"[\w]+", "a"),
    (r"[\s]", ""),
    (r"(\w+):\s+(\d+)", ""),
    (r"(?<=,)\s*(\w)?", ""),
    (r"(?<!\d)\d\b", ""),
    (r"\u0041|\x42", ""),
    (r"[^\s]", ""),
    (r"(?:)", ""),
    (r"x*|b", ""),
    (r"(a)|(b)|c", "i"),
    (r"[\[\(\]]", ""),
    (r"[]a]+", ""),
    (r"[^]a]", ""),
    (r"answer is \(?([A-J])\)?", ""),
    (r"\$(.*)\$", ""),
    (r"(?<=The answer is )(.*)(?=.)", ""),
    (r"(?<=the answer is )(.*)(?=.)", "i"),
    (r".*\[aA\]nswer:\s*([A-J])", ""),
    (r"\b(?:The |the |An |A |The |a |an )", ""),
    (r"(\([A-Z]\))", ""),
    (r"(?x) \d+  # digits", ""),
    (r" (\d) \ ? # one ", "x"),
    (r"(\d)(?(1)\.|x)", ""),
    (r"(a|ab)(c|bcd)?", ""),
    (r"(?=(\w))", ""),
    (r"(?!the)\b\w+", "i"),
    (r"ß", "i"),
    (r"É|ü", "i"),
    (r"[à-ÿ]+", "i"),
    (r"\.", ""),
    (r".", "s"),
    (r".$", ""),
    (r".$", "m"),
    (r"[\d.,]+(?:e[+-]?\d+)?", "i"),
    (r"\\boxed\{(.*?)\}", ""),
    (r"((?:a|b)+)\1", ""),
    (r"\(([A-D])\)|\b([A-D])\b(?!')", ""),
    (r"[A-Za-z&&\d]+", ""),
    (r"(-?\d+(?:\.\d+)?)(?!.*\d)", "s"),
    (r"\t|\n", ""),
    (r"(?m)^(?:Q|A): ?(.*)$", ""),
    (r"[\u4e00-\u9fff]+", ""),
    (r"[\U0001F300-\U0001FAFF]", ""),
    (r"\0|\141", ""),
    (r"(\b\d+\b)\s*=\s*\1", ""),
]
TEXTS = [
    "",
    "\n",
    "\n\n",
    "abc\n",
    "baac",
    "The answer is (B).",
    "the answer is paris. The Answer is Rome",
    "#### 12\n#### 13",
    "5 + 3 = 8.\n#### 1,234.50",
    "12,345.67 $5 and $1.50$",
    "Ünïcode straße ÉCOLE \x1c\x1d x",
    "a\u180eb \u2003c",
    "x\x85y\xa0z",
    "²③x_ ١٢",
    "数学 and 🙂🎉 emoji",
    "* one\n* two\n- three\n** four",
    "First *** second *** third",
    "Calm: 0\nAngry: 6  Sad: 3",
    "Q: what?\nA: that\nA:none",
    "(A) or (B) but not A's C",
    "[aA]nswer: C [x] ]a]",
    "so \\boxed{\\frac{1}{2}} and \\boxed{3}",
    "abab aabb abcd",
    "1.5e-3 7 = 7, 8=9",
    "a\tb\r\nc\u2028d",
    "x" * 30 + "b",
    "An apple, a pear, the end. The  AB",
    "\0 A B",
]
REFUSED = [
    r"\p{L}",
    r"(",
    r"(?R)",
    r"(*ACCEPT)",
    r"[a",
    r"\K",
    r"a(?|b)",
    r"*a",
    r"\Q",
    r"(?P<1a>x)",
    r"a**",
    r"(?P=no)",
    r"[z-a]",
    r"(?<=a*)b",
    "\\",
]


def main():
    kinds = {"i": re.I, "m": re.M, "s": re.S, "x": re.X, "a": re.A}
    patterns = []
    for pattern, letters in PATTERNS:
        regex = re.compile(pattern, sum(kinds[letter] for letter in letters))
        replacement = r"<\1>" if regex.groups else r"[\g<0>]\n"
        subjects = [
            {
                "text": i,
                "found": [
                    [match.group(0)] + [group or "" for group in match.groups()] for match in regex.finditer(text)
                ],
                "replaced": regex.sub(replacement, text),
                "pieces": [piece or "" for piece in regex.split(text)],
            }
            for i, text in enumerate(TEXTS)
        ]
        patterns.append(
            {
                "pattern": pattern,
                "flags": letters,
                "replacement": replacement,
                "subjects": [one for one in subjects if one["found"] or one["text"] % 7 == 0],
            }
        )
    for pattern in REFUSED:
        try:
            re.compile(pattern)
        except re.error:
            continue
        sys.exit(f"Python takes {pattern}")
    out = {"texts": TEXTS, "patterns": patterns, "refused": REFUSED}
    pathlib.Path(sys.argv[1]).write_text(
        json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8"
    )
    print(len(patterns), "patterns,", sum(len(one["subjects"]) for one in patterns), "searches")


if __name__ == "__main__":
    main()
