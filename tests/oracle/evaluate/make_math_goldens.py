#!/usr/bin/env python3
"""Makes the reference verdicts on mathematical answers: normal forms of lm-evaluation-harness 0.4.13, equality by sympy
1.14 (as its leaderboard/math and minerva_math tasks ask for it) and verification by math-verify 0.9.

    make_math_goldens.py OUT.json MATH

MATH is AGIEval's data/v1/math.jsonl (MIT; problems of the MATH data set, MIT), of which OUT keeps the short answers,
each also in other spellings, equal and unequal. Needs lm_eval with its math extras; the tests need only what it writes.
"""

import argparse
import json
import logging
import pathlib
import random
import re
import warnings

EXTRA = [
    "",
    ".5",
    "0.5",
    "\\frac",
    "\\sqrt",
    "\\sqrt3",
    "\\sqrt[3]{8}",
    "\\frac12",
    "a/b",
    "3/4",
    "03/4",
    "x=5",
    "k = 2",
    "5\\text{ cm}",
    "5\\text{ a}\\text{ b}",
    "10\\%",
    "$12",
    "\\text{(A)}",
    "\\textbf{x}",
    "1,000",
    "0,1",
    "\\left(1,2\\right)",
    "5^\\circ",
    "x^{2}+1",
    "\\boxed{3}",
    "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
    "3 square feet",
    "the left",
    "an apple",
    "2\\pi cm",
    "\\overline{AB}",
    "1 dollars",
]
PAIRS = [
    ("x(x+1)", "x^2+x"),
    ("(x+1)x", "x^2+x"),
    ("\\sqrt{x^2}", "x"),
    ("2\\sin x\\cos x", "\\sin(2x)"),
    ("\\frac{1}{x}", "x^{-1}"),
    ("(a+b)^2", "a^2+2ab+b^2"),
    ("\\sqrt{8}", "2\\sqrt{2}"),
    ("\\log_2 8", "3"),
    ("5!", "120"),
    ("\\binom{5}{2}", "10"),
    ("1,2", "1,3"),
    ("(1,2)", "(1,2)"),
    ("\\pi", "3.14159"),
    ("3x5", "15"),
    ("|{-3}|", "3"),
    ("2^10", "1024"),
    ("2^{10}", "1024"),
    ("1/2x", "\\frac{1}{2x}"),
    ("\\frac{x^2-1}{x-1}", "x+1"),
    ("e^{i\\pi}", "-1"),
    ("\\sqrt{2}\\sqrt{3}", "\\sqrt{6}"),
    ("\\infty", "\\infty"),
    ("0.1+0.2", "0.3"),
    ("\\frac{3}{9}", "\\frac13"),
    ("12\\sqrt{3}", "\\sqrt{432}"),
    ("\\sin^2 x+\\cos^2 x", "1"),
    ("\\ln e", "1"),
    ("x^{2}y", "yx^2"),
    ("dx", "x d"),
    ("\\lfloor 2.5\\rfloor", "2"),
    ("-3^2", "-9"),
    ("2516_8", "2516"),
    ("5)", "5"),
    ("\\frac{a}{b}c", "\\frac{ac}{b}"),
    ("\\sum_{i=1}^{3} i", "6"),
    ("\\int_0^1 x dx", "\\frac{1}{2}"),
    ("\\lim_{x\\to 0} x", "0"),
    ("x<3", "x<3"),
    ("\\frac{1}{0}", "\\frac{2}{0}"),
    ("", ""),
    ("x_1+x_2", "x_2+x_1"),
    ("f(x)", "f(x)"),
    ("a^{b^c}", "(a^b)^c"),
    ("\\sqrt[3]{27}", "3"),
    ("1e3", "1000"),
    ("\\tan 45^\\circ", "1"),
]
TEMPLATES = [
    "The answer is \\boxed{%s}.",
    "We get stuff = 3.\nFinal Answer: The final answer is $%s$. I hope it is correct.",
    "So $%s$",
    "Thus the answer is %s.",
    "x = 4 so \\[ \\boxed{%s} \\] and done.",
    "Work: $y=2$. The final answer is: $%s$",
    "Problem solved.\n\nAnswer: $%s$\n",
    "First $1+1=2$, then $%s$.",
    "$$%s$$",
    "\\(%s\\) is it.",
    "**%s**",
    "I do not know. %s?",
]


def spellings(answer):
    found = [
        answer,
        answer.replace("\\frac", "\\dfrac"),
        answer + " ",
        "x=" + answer,
        answer.replace("{", "").replace("}", ""),
        f"({answer})",
        answer.replace(" ", ""),
        "-" + answer,
        answer + "\\text{ cm}",
        answer + " units",
        "\\$" + answer,
        "2\\cdot " + answer,
        answer + "+0",
    ]
    if re.fullmatch(r"-?\d+", answer):
        value = int(answer)
        found += [
            answer + ".0",
            str(value + 1),
            f"\\frac{{{2 * value}}}{{2}}",
            f"{value}/1",
            f"1,{abs(value) % 1000:03d}",
            f"{value} \\%",
        ]
    fraction = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", answer)
    if fraction:
        top, bottom = fraction.groups()
        found += [
            f"{top}/{bottom}",
            repr(int(top) / int(bottom)),
            f"\\frac{{{2 * int(top)}}}{{{2 * int(bottom)}}}",
            f"\\frac{top}{bottom}",
            f"\\frac{top}{{{bottom}}}",
        ]
    if "," in answer:
        found.append(",".join(reversed(answer.split(","))))
    return found


def normal_forms(answers):
    from lm_eval.tasks.agieval import utils as agieval
    from lm_eval.tasks.hendrycks_math import utils as hendrycks
    from lm_eval.tasks.leaderboard.math import utils as leaderboard
    from lm_eval.tasks.minerva_math import utils as minerva

    for answer in answers:
        try:
            plain = hendrycks.strip_string(answer)
        except Exception:  # where it has none, it raises whatever comes
            plain = None
        yield {
            "answer": answer,
            "hendrycks": plain,
            "minerva": minerva.normalize_final_answer(answer),
            "leaderboard": leaderboard.normalize_final_answer(answer),
            "agieval": agieval.parse_math_answer(answer),
        }


def same_values(answers, rnd, count):
    from lm_eval.tasks.leaderboard.math import utils as leaderboard
    from lm_eval.tasks.minerva_math import utils as minerva

    pairs = [(answer, other) for answer in answers for other in rnd.sample(spellings(answer), 4)]
    pairs = rnd.sample(pairs + [(answer, rnd.choice(answers)) for answer in answers], count) + PAIRS
    pairs = [tuple(map(minerva.normalize_final_answer, pair)) for pair in pairs]
    for first, second in dict.fromkeys(pairs):
        yield [first, second, leaderboard.is_equiv(first, second) is True]


def verified(answers, rnd, count):
    from math_verify import LatexExtractionConfig, parse, verify

    for number in range(count):
        answer = answers[number % len(answers)]
        given = rnd.choice(spellings(answer) + [answer, answer, rnd.choice(answers)])
        text = rnd.choice(TEMPLATES) % given
        gold = parse(f"so $\\boxed{{{answer}}}$.", extraction_config=[LatexExtractionConfig()])
        yield [answer, text, bool(verify(gold, parse(text)))]


def solved(rows):
    """Solutions as they were written, and cut off before their answer."""
    from math_verify import LatexExtractionConfig, parse, verify

    for number, row in enumerate(rows[::8]):
        solution = (row.get("other") or {}).get("solution", "")
        answer = str(row["answer"])
        if not solution or len(solution) > 1200:
            continue
        gold = parse(f"so $\\boxed{{{answer}}}$.", extraction_config=[LatexExtractionConfig()])
        text = solution if number % 3 else solution[: len(solution) * 2 // 3]
        yield [answer, text, bool(verify(gold, parse(text)))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("math", type=pathlib.Path)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in arguments.math.read_text(encoding="utf-8").splitlines()]
    answers = list(dict.fromkeys(str(row["answer"]) for row in rows))
    rnd = random.Random(5)
    out = {
        "normal_forms": list(normal_forms(answers[::2] + EXTRA)),
        "same_value": list(same_values(answers, rnd, 1300)),
        "verify": list(verified(answers, rnd, 1100)) + list(solved(rows)),
    }
    groups = [
        f'"{name}": [\n' + ",\n".join(json.dumps(one, ensure_ascii=False) for one in group) + "\n]"
        for name, group in out.items()
    ]
    arguments.out.write_text("{\n" + ",\n".join(groups) + "\n}\n", encoding="utf-8")
    print({name: len(group) for name, group in out.items()})


if __name__ == "__main__":
    main()
