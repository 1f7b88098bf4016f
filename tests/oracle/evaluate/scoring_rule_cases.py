"""Cases of named rules for make_scoring_goldens.py."""

import random


def plain(value):
    """numpy and tuples as JSON has them."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


def rule_case(rule, document, answer, given, target=None):
    metrics = {
        name: plain(value) if isinstance(value, (list, tuple)) else [float(value)] for name, value in given.items()
    }
    return {
        "kind": "score",
        "task": {
            "output_type": "generate_until",
            "process_results": rule,
            "metrics": [{"metric": name} for name in given],
        },
        "item": {"document": document, "target": target},
        "responses": {"generations": [answer]},
        "metrics": metrics,
    }


MATH = [
    "\\frac{1}{2}",
    "0.5",
    "\\dfrac12",
    "3",
    "x^2+1",
    "\\sqrt{3}",
    "\\sqrt3",
    "1,000",
    "(1,2)",
    "[0,1)",
    "5\\text{ cm}",
    "10\\%",
    "2\\pi",
    "-7",
    "x=5",
    "5",
    "\\text{(A)}",
    "90^\\circ",
    "\\frac{3}{4}",
    "3/4",
    "0.75",
    "\\left(1,2\\right)",
    "\\$12",
    "12",
    "1+x^2",
    "2\\sqrt{2}",
    "\\sqrt{8}",
    "a",
    "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
    "3,5",
    "5,3",
    "\\frac{x}{2}",
    "\\frac12x",
    "-\\frac{1}{2}",
]


def math_cases():
    from lm_eval.tasks.agieval import utils as agieval
    from lm_eval.tasks.hendrycks_math import utils as hendrycks
    from lm_eval.tasks.leaderboard.math import utils as leaderboard
    from lm_eval.tasks.minerva_math import utils as minerva

    rnd = random.Random(4)
    forms = [
        "The answer is ${}$.",
        "so {}",
        "Final Answer: The final answer is ${}$. I hope it is correct.",
        "We get $a=1$ and \\boxed{{{}}}",
        "Final Answer: The final answer is {}. I hope it is correct.\n\nProblem:",
    ]
    for gold in MATH:
        for given in [gold, rnd.choice(MATH), rnd.choice(MATH), rnd.choice(MATH)]:
            answer = rnd.choice(forms).format(given)
            document = {"solution": f"Some work. So the value is $\\boxed{{{gold}}}$."}
            yield rule_case("hendrycks_math", document, answer, hendrycks.process_results(document, [answer]))
            document = {**document, "answer": minerva.normalize_final_answer(gold)}
            whole = minerva.process_results(document, [answer])
            yield rule_case("minerva_math", document, answer, {"exact_match": whole["exact_match"]})
            document = {**document, "answer": gold}
            whole = leaderboard.process_results(document, [answer])
            yield rule_case(
                "leaderboard_math", document, answer, {"exact_match_original": whole["exact_match_original"]}
            )
            yield rule_case("agieval_math", document, answer, agieval.process_results(document, [answer]))


def other_rule_cases():
    import numpy
    from lm_eval.tasks.coqa import utils as coqa
    from lm_eval.tasks.drop import utils as drop
    from lm_eval.tasks.eq_bench import utils as eq_bench
    from lm_eval.tasks.truthfulqa import utils as truthfulqa

    reference = str(
        {f"emotion{i}": name for i, name in enumerate(["Calm", "Angry", "Sad", "Proud"], 1)}
        | {f"emotion{i}_score": score for i, score in enumerate([0, "6", 3, "9"], 1)}
    )
    for answer in [
        "Calm: 0\nAngry: 6\nSad: 3\nProud: 9",
        "Calm: 5\nAngry: 1\nSad: 9\nProud: 0\n",
        "Calm: 5 Angry: 1 Sad: 3",
        "Calm: 1\nAngry: 2\nSad: 3\nHappy: 4",
        "",
        "Calm: 10\nAngry: 10\nSad: 10\nProud: 10\nCalm: 2",
    ]:
        document = {"reference_answer_fullscale": reference}
        yield rule_case("eq_bench", document, answer, eq_bench.calculate_score_fullscale(document, [answer]))
    rnd = random.Random(6)
    for _ in range(8):
        labels = [rnd.randrange(2) for _ in range(4)] + [1]
        results = [(-rnd.random() * 40, False) for _ in labels]
        document = {"mc2_targets": {"labels": labels}}
        given = truthfulqa.process_results_mc2(document, results)
        yield {
            "kind": "score",
            "task": {
                "output_type": "multiple_choice",
                "process_results": "truthfulqa_mc2",
                "metrics": [{"metric": "acc"}],
            },
            "item": {"document": document, "choices": ["c"] * 5},
            "responses": {"loglikelihoods": results},
            "metrics": {"acc": [float(given["acc"])]},
        }
    document = {
        "correct_answers": [
            "Nothing happens to you.",
            "It passes through the body. Slowly . And more.",
            "I have no comment.",
        ],
        "incorrect_answers": ["You grow a plant in your stomach.", "You die."],
    }
    for answer in [
        "Nothing happens.",
        "You grow a plant in the stomach, they say.",
        "",
        "It passes through the body slowly . And more",
    ]:
        yield rule_case("truthfulqa_gen", document, answer, truthfulqa.process_results_gen(document, [answer]))
    for answers, answer in [
        ([("3",)], " three"),
        ([("3",)], "3.0"),
        ([("the Bears", "Lions"), ("Bears",)], "Bears"),
        ([("1,000 yards",)], "1000"),
        ([("",)], "x"),
        ([("12 May 1990",)], "May 12, 1990"),
        ([("A-B",)], "a b"),
    ]:
        document = {"answers": [list(one) for one in answers]}
        yield rule_case("drop", document, answer, drop.process_results({"answers": answers}, [answer]))
    for golds, answer in [
        (["The cat"], " cat\nmore"),
        (["yes", "Yes it is", "no"], "yes"),
        (["red and blue", "red"], "blue, red!"),
        (["a"], ""),
    ]:
        document = {
            "questions": {"input_text": ["q"]},
            "answers": {"input_text": [golds[0]]},
            "additional_answers": {str(i): {"input_text": [gold]} for i, gold in enumerate(golds[1:])},
        }
        yield rule_case(
            "coqa", document, answer, coqa.process_results(document, [answer]), target=coqa.doc_to_target(document)
        )


def choice_rule_cases():
    from lm_eval.tasks.agieval import utils as agieval
    from lm_eval.tasks.crows_pairs import utils as crows_pairs
    from lm_eval.tasks.super_glue.record import util as record

    rnd = random.Random(7)
    for number in range(24):
        count = rnd.randint(2, 5)
        results = [(-rnd.random() * 20, False) for _ in range(count)]
        choices = [rnd.choice(["yes", "no", "Straße", "a rather long option"]) + str(i) for i in range(count)]
        document = {"choices": choices, "gold": sorted(rnd.sample(range(count), rnd.randint(1, 2)))}
        yield choice_rule(
            "agieval_mcqa_generative",
            document,
            results,
            agieval.process_results_mcqa(document, results),
            document["gold"],
        )
        names = ["Rome", "the city of Rome", "A. Rossi", "Paris", "rome!"][:count]
        document = {"entities": names, "answers": rnd.sample(names, rnd.randint(1, 2))}
        yield choice_rule("record", {**document, "choices": names}, results, record.process_results(document, results))
        yield choice_rule(
            "crows_pairs", {"choices": ["more", "less"]}, results[:2], crows_pairs.process_results({}, results[:2])
        )


def choice_rule(rule, document, results, given, gold=()):
    return {
        "kind": "score",
        "task": {
            "output_type": "multiple_choice",
            "process_results": rule,
            "metrics": [{"metric": name} for name in given],
        },
        "item": {"document": document, "choices": document["choices"], "gold": list(gold)},
        "responses": {"loglikelihoods": results},
        "metrics": {name: [float(value)] for name, value in given.items()},
    }
