#!/usr/bin/env python3
"""Makes the reference values of scoring: what lm-evaluation-harness 0.4.13 itself (filters,
process_results, aggregations, task rules) makes of constructed answers.

    make_scoring_goldens.py OUT.json PUNKT_MODEL

PUNKT_MODEL is evaluator/text/data/punkt_english.txt, given to NLTK as its punkt_tab data. Needs
lm_eval with its math and ifeval extras, sacrebleu, scikit-learn; the tests need only what it writes.
"""

import argparse
import json
import pathlib
import random
import tempfile
import types

import nltk

parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("punkt_model", type=pathlib.Path)


def give_punkt(model, folder):
    """The sentence model in the files that NLTK reads."""
    target = folder / "tokenizers" / "punkt_tab" / "english"
    target.mkdir(parents=True)
    tables = {"A": [], "C": [], "S": [], "O": []}
    for line in model.read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        kind, *fields = line.split("\t")
        if kind == "C":
            tables["C"].append("\t".join(fields))
        elif kind[0] == "O":
            tables["O"] += [f"{word}\t{kind[1:]}" for word in fields]
        else:
            tables[kind] += fields
    for name, kind in (("abbrev_types.txt", "A"), ("collocations.tab", "C"), ("sent_starters.txt", "S"),
                       ("ortho_context.tab", "O")):
        (target / name).write_text("\n".join(tables[kind]) + "\n", encoding="utf-8")
    nltk.data.path.insert(0, str(folder))


def plain(value):
    """numpy and tuples as JSON has them."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


# --- filters ----------------------------------------------------------------------------------

ANSWERS = [
    "The total is 5 + 3 = 8.\n#### 8", "#### 1,234.50", "no number here", "#### -7\n#### 9",
    "I think it is $42. So the answer is 42.", "", "  (B) because  ", "answer: (C)", "The answer is Paris",
    "guilty of romance", "Guilty", ": B", "Ünïcode ÄÖ", "True and False", "yes\n", "NO", "12 apples, 7 pears",
    "[('the', 'DET'), ('cat', 'NOUN')]", "persons: Ada, none $$ places: Rome, Paris $$ date: none",
    "time: 1999\nlocation: Nairobi", "List: pear apple fig apple", "x" * 300, "#### ", "####  3",
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
        [("multi_choice_regex", {"regex_pattern": r"(\([A-Z]\))", "ignore_case": True, "ignore_punctuation": True,
                                 "group_select": 0, "regexes_to_ignore": [r"\bthe\b"]}), ("take_first", {})],
    ]
    document = {"choices": ["Guilty", "Guilty of Romance", "Paris.", "a (weird) one?"]}
    rnd = random.Random(1)
    for pipeline in pipelines:
        sets = [[one] * 2 for one in ANSWERS] + [[rnd.choice(ANSWERS) for _ in range(5)] for _ in range(6)]
        for answers in sets:
            ensemble = build_filter_ensemble("none", pipeline)
            instance = types.SimpleNamespace(resps=answers, doc=document, filtered_resps={})
            ensemble.apply([instance])
            yield {"kind": "filter", "steps": [{"function": name, **arguments} for name, arguments in pipeline],
                   "responses": answers, "document": document, "filtered": instance.filtered_resps["none"]}


# --- output types -----------------------------------------------------------------------------


def configurable(output_type, metrics, arguments, *, choices=None, target=None, multiple_target=0):
    from lm_eval.api.registry import get_metric
    from lm_eval.api.task import ConfigurableTask
    task = ConfigurableTask.__new__(ConfigurableTask)
    task.OUTPUT_TYPE = output_type
    task._config = types.SimpleNamespace(process_results=None, doc_to_choice=choices)
    task.multiple_input = 0
    task.multiple_target = multiple_target
    task._metric_fn_list = {name: get_metric(name) for name in metrics}
    task._metric_fn_kwargs = {name: arguments for name in metrics}
    task.doc_to_choice = lambda doc, *_: choices
    task.doc_to_target = lambda doc, *_: target
    return task


def choice_cases():
    rnd = random.Random(2)
    names = ["acc", "acc_norm", "acc_bytes", "exact_match", "f1", "mcc", "brier_score", "likelihood", "acc_mutual_info"]
    texts = ["yes", "no", "Straße", "数学 ist schön", "a rather long option, with commas", "🙂", "x"]
    for number in range(60):
        count = rnd.randint(2, 5)
        choices = rnd.sample(texts, count)
        mutual = number % 3 == 0
        metrics = names if mutual else names[:-1]
        several = number % 5 == 1
        gold = sorted(rnd.sample(range(count), 2)) if several else rnd.randrange(count)
        results = [(-rnd.random() * 20, rnd.random() < 0.3) for _ in range(2 * count if mutual else count)]
        if number % 7 == 0:
            results[1] = (results[0][0], results[1][1])  # a tie
        if several and mutual:
            continue  # the harness cannot compare a list
        task = configurable("multiple_choice", metrics, {}, choices=choices, target=gold,
                            multiple_target=2 if several else 0)
        given = task.process_results({}, results)
        golds = gold if several else [gold]
        expected = {}
        for name, value in given.items():
            if name in ("f1", "mcc"):
                expected[name] = [golds[0], int(value[1])]
            elif name in ("brier_score", "likelihood"):
                expected[name] = [golds[0], *plain(value[1])]
            else:
                expected[name] = [float(value)]
        yield {"kind": "score", "task": {"output_type": "multiple_choice", "metrics": [{"metric": n} for n in metrics]},
               "item": {"choices": choices, "gold": golds}, "responses": {"loglikelihoods": results},
               "metrics": expected}


def other_cases():
    for results in [(-1.25, True), (-30.5, False)]:
        task = configurable("loglikelihood", ["perplexity", "acc"], {})
        given = task.process_results({}, [results])
        yield {"kind": "score", "task": {"output_type": "loglikelihood", "metrics": [{"metric": n} for n in given]},
               "item": {}, "responses": {"loglikelihoods": [results]},
               "metrics": {name: [value] for name, value in given.items()}}
    names = ["word_perplexity", "byte_perplexity", "bits_per_byte"]
    for text in ["one two  three\n", "", "Straße\u3000数学 🙂", " a\x1cb ", "end."]:
        task = configurable("loglikelihood_rolling", names, {}, target=text)
        given = task.process_results({}, [-12.5])
        yield {"kind": "score", "task": {"output_type": "loglikelihood_rolling", "metrics": [{"metric": n} for n in names]},
               "item": {"target": text}, "responses": {"rolling": [-12.5]},
               "metrics": {name: list(value) for name, value in given.items()}}


def generation_cases():
    settings = [{}, {"ignore_case": True}, {"ignore_punctuation": True}, {"ignore_numbers": True},
                {"ignore_case": True, "ignore_punctuation": False, "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"]},
                {"regexes_to_ignore": ["\\s+"], "ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True}]
    pairs = [("72", "72"), ("72", "#### 72."), ("1,000", "$1000"), ("Paris", "paris."), ("it's", "its"), ("a1b2", "ab"),
             ("Größe!", "GRÖSSE"), ("Größe", "GRÖßE"), ("", ""), ("x y", "x  y"), (18, "18"), (2.0, "2.0"), (True, "True")]
    for arguments in settings:
        for target, answer in pairs:
            task = configurable("generate_until", ["exact_match"], arguments, target=target)
            given = task.process_results({}, [answer])
            yield generation_case(target, answer, arguments, given)
        for targets, answer in [(["a", "b"], "B"), (["x", "y", "z."], "z"), (["one"], "two")]:
            task = configurable("generate_until", ["exact_match"], arguments, target=targets, multiple_target=len(targets))
            yield generation_case(targets, answer, arguments, task.process_results({}, [answer]))


def generation_case(target, answer, arguments, given):
    return {"kind": "score",
            "task": {"output_type": "generate_until", "metrics": [{"metric": "exact_match", "arguments": arguments}]},
            "item": {"target": target}, "responses": {"generations": [answer]},
            "metrics": {name: [float(value)] for name, value in given.items()}}


# --- aggregations -----------------------------------------------------------------------------

SENTENCES = [
    ("The quick brown fox jumps over the lazy dog.", "A quick brown fox jumped over the lazy dog!"),
    ("It costs $3.50 (about 3,20 euros) & more.", "It costs 3.50 dollars, about 3,20 euros and more."),
    ("Hello world", "Hello world"), ("", "something"), ("nothing", ""),
    ("Die Größe beträgt 12-14 cm.", "Die Grösse ist 12-14 cm."), ("a b c d e f", "d e f a b c"),
    ("&quot;quoted&quot; text-\nbroken", "\"quoted\" text broken"), ("数学 是 好", "数学 好 是"),
    ("one two three four five six seven eight", "eight seven six five four three two one"),
]


def aggregation_cases():
    import os
    os.environ["DISABLE_MULTIPROC"] = "1"
    from lm_eval.api import metrics as M
    rnd = random.Random(3)
    numbers = [-rnd.random() * 3 for _ in range(23)]
    hits = [float(rnd.random() < 0.6) for _ in range(23)]
    labels = [(rnd.randrange(2), rnd.randrange(2)) for _ in range(23)]
    classes = [(rnd.randrange(3), rnd.randrange(3)) for _ in range(23)]
    weights = [(-rnd.random() * 90, rnd.randint(5, 40)) for _ in range(23)]
    brier = []
    for _ in range(9):
        mass = [rnd.random() for _ in range(4)]
        brier.append((rnd.randrange(4), [one / sum(mass) for one in mass]))
    cases = [("acc", "mean", hits), ("acc", "mean", [1.0]), ("x", "median", numbers), ("x", "nanmean", numbers),
             ("perplexity", "perplexity", numbers), ("word_perplexity", "weighted_perplexity", weights),
             ("bits_per_byte", "bits_per_byte", weights), ("f1", "f1", labels), ("mcc", "matthews_corrcoef", labels),
             ("mcc", "matthews_corrcoef", classes), ("brier_score", "brier_score", brier),
             ("bypass", "bypass", [999.0, 999.0]), ("bleu", "bleu", SENTENCES), ("chrf", "chrf", SENTENCES),
             ("chrf++", "chrf++", SENTENCES), ("ter", "ter", SENTENCES), ("bleu", "bleu", SENTENCES[5:6]),
             ("bleu", "bleu", [("abc", "xyz")]), ("ter", "ter", [("", "")])]
    for metric, aggregation, values in cases:
        function = M.AGGREGATION_REGISTRY[aggregation] if hasattr(M, "AGGREGATION_REGISTRY") else None
        if function is None:
            from lm_eval.api.registry import get_aggregation
            function = get_aggregation(aggregation)
        replicates = 100 if metric in ("bleu", "chrf", "chrf++", "ter") else 100000
        error = M.stderr_for_metric(function, replicates)
        yield {"kind": "aggregate", "metric": metric, "aggregation": aggregation,
               "values": [as_value(value) for value in values], "value": plain(function(values)),
               "stderr": plain(error(values)) if error and len(values) > 1 else None}


def as_value(value):
    if isinstance(value, tuple) and isinstance(value[0], str):
        return {"texts": list(value)}
    if isinstance(value, tuple):
        flat = [value[0], *(value[1] if isinstance(value[1], list) else [value[1]])]
        return {"numbers": flat}
    return {"numbers": [value]}


# --- rules ------------------------------------------------------------------------------------

PROSE = ("Dr. Smith went to Washington, D.C. on Jan. 5th at 3 p.m. He arrived late! Was it raining? \"Yes,\" he said. "
         "P.S. The U.S. team won 3.5 points... Really (so they say). Mr. J. Bach agrees.\n\nSecond paragraph here; it has "
         "**bold words** and *light* ones.\n* one\n* two\n- three\n<<A title>> [name] [place]\nSection 1 a\nSection 2 b\n")
RESPONSES = [PROSE, PROSE.upper(), PROSE.lower(), "", "   ", "\"" + PROSE + "\"", "{\"a\": [1, 2]}", "```json\n{\"a\": 1}\n```",
             "```\n[1,]\n```", "My answer is yes.", "First *** second *** third", "*** a *** b ***", "One.\n******\nTwo.",
             "******\nOne.\n******\nTwo.\n******", "Repeat me now. And then the answer.", "Hello WORLD, it's NASA's BIG day",
             "That is all. Any other questions?", "# Title\nbody *a* ** ** text\nlast line", "P.P.S done", "*a\n * b\n** c\n  - d",
             "weekend\n\n'Alpha, beta\n\ngamma", "<<  >>", "no commas here", "The dog's dogs DOG. A hotdog!", "e" * 30 + "!" * 5]
INSTRUCTIONS = [
    ("keywords:existence", {"keywords": ["dog", "Dr"]}), ("keywords:existence", {"keywords": ["rain.*"]}),
    ("keywords:frequency", {"keyword": "dog ", "frequency": 3, "relation": "at least"}),
    ("keywords:frequency", {"keyword": "a", "frequency": 20, "relation": "less than"}),
    ("keywords:forbidden_words", {"forbidden_words": ["dog", "light"]}),
    ("keywords:letter_frequency", {"letter": "E", "let_frequency": 12, "let_relation": "at least"}),
    ("keywords:letter_frequency", {"letter": "s", "let_frequency": 4, "let_relation": "less than"}),
    ("length_constraints:number_sentences", {"num_sentences": 8, "relation": "at least"}),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 3}), ("length_constraints:number_paragraphs", {"num_paragraphs": 2}),
    ("length_constraints:number_words", {"num_words": 60, "relation": "at least"}),
    ("length_constraints:number_words", {"num_words": 5, "relation": "less than"}),
    ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "Alpha"}),
    ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "dr"}),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}), ("detectable_content:postscript", {"postscript_marker": "P.S."}),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}), ("detectable_format:number_bullet_lists", {"num_bullets": 3}),
    ("detectable_format:constrained_response", {}), ("detectable_format:number_highlighted_sections", {"num_highlights": 2}),
    ("detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 2}), ("detectable_format:json_format", {}),
    ("detectable_format:title", {}), ("combination:two_responses", {}), ("combination:repeat_prompt", {"prompt_to_repeat": "repeat me NOW."}),
    ("startend:end_checker", {"end_phrase": "any other questions?"}), ("startend:quotation", {}), ("punctuation:no_comma", {}),
    ("change_case:capital_word_frequency", {"capital_frequency": 3, "capital_relation": "at least"}),
    ("change_case:capital_word_frequency", {"capital_frequency": 1, "capital_relation": "less than"}),
]


def ifeval_cases():
    from lm_eval.tasks.ifeval import utils
    for response in RESPONSES:
        for identifier, arguments in INSTRUCTIONS:
            document = {"key": 1, "prompt": "p", "instruction_id_list": [identifier], "kwargs": [arguments]}
            yield rule_case("ifeval", document, response, utils.process_results(document, [response]))


def rule_case(rule, document, answer, given, target=None):
    metrics = {name: plain(value) if isinstance(value, (list, tuple)) else [float(value)] for name, value in given.items()}
    return {"kind": "score", "task": {"output_type": "generate_until", "process_results": rule,
                                      "metrics": [{"metric": name} for name in given]},
            "item": {"document": document, "target": target}, "responses": {"generations": [answer]}, "metrics": metrics}


MATH = ["\\frac{1}{2}", "0.5", "\\dfrac12", "3", "x^2+1", "\\sqrt{3}", "\\sqrt3", "1,000", "(1,2)", "[0,1)", "5\\text{ cm}", "10\\%",
        "2\\pi", "-7", "x=5", "5", "\\text{(A)}", "90^\\circ", "\\frac{3}{4}", "3/4", "0.75", "\\left(1,2\\right)", "\\$12", "12", "1+x^2",
        "2\\sqrt{2}", "\\sqrt{8}", "a", "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "3,5", "5,3", "\\frac{x}{2}", "\\frac12x", "-\\frac{1}{2}"]


def math_cases():
    from lm_eval.tasks.agieval import utils as agieval
    from lm_eval.tasks.hendrycks_math import utils as hendrycks
    from lm_eval.tasks.leaderboard.math import utils as leaderboard
    from lm_eval.tasks.minerva_math import utils as minerva
    rnd = random.Random(4)
    forms = ["The answer is ${}$.", "so {}", "Final Answer: The final answer is ${}$. I hope it is correct.",
             "We get $a=1$ and \\boxed{{{}}}", "Final Answer: The final answer is {}. I hope it is correct.\n\nProblem:"]
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
            yield rule_case("leaderboard_math", document, answer, {"exact_match_original": whole["exact_match_original"]})
            yield rule_case("agieval_math", document, answer, agieval.process_results(document, [answer]))


def other_rule_cases():
    import numpy
    from lm_eval.tasks.coqa import utils as coqa
    from lm_eval.tasks.drop import utils as drop
    from lm_eval.tasks.eq_bench import utils as eq_bench
    from lm_eval.tasks.truthfulqa import utils as truthfulqa
    reference = str({f"emotion{i}": name for i, name in enumerate(["Calm", "Angry", "Sad", "Proud"], 1)} |
                    {f"emotion{i}_score": score for i, score in enumerate([0, "6", 3, "9"], 1)})
    for answer in ["Calm: 0\nAngry: 6\nSad: 3\nProud: 9", "Calm: 5\nAngry: 1\nSad: 9\nProud: 0\n", "Calm: 5 Angry: 1 Sad: 3",
                   "Calm: 1\nAngry: 2\nSad: 3\nHappy: 4", "", "Calm: 10\nAngry: 10\nSad: 10\nProud: 10\nCalm: 2"]:
        document = {"reference_answer_fullscale": reference}
        yield rule_case("eq_bench", document, answer, eq_bench.calculate_score_fullscale(document, [answer]))
    rnd = random.Random(6)
    for _ in range(8):
        labels = [rnd.randrange(2) for _ in range(4)] + [1]
        results = [(-rnd.random() * 40, False) for _ in labels]
        document = {"mc2_targets": {"labels": labels}}
        given = truthfulqa.process_results_mc2(document, results)
        yield {"kind": "score", "task": {"output_type": "multiple_choice", "process_results": "truthfulqa_mc2", "metrics": [{"metric": "acc"}]},
               "item": {"document": document, "choices": ["c"] * 5}, "responses": {"loglikelihoods": results},
               "metrics": {"acc": [float(given["acc"])]}}
    document = {"correct_answers": ["Nothing happens to you.", "It passes through the body. Slowly . And more.", "I have no comment."],
                "incorrect_answers": ["You grow a plant in your stomach.", "You die."]}
    for answer in ["Nothing happens.", "You grow a plant in the stomach, they say.", "", "It passes through the body slowly . And more"]:
        yield rule_case("truthfulqa_gen", document, answer, truthfulqa.process_results_gen(document, [answer]))
    for answers, answer in [([("3",)], " three"), ([("3",)], "3.0"), ([("the Bears", "Lions"), ("Bears",)], "Bears"),
                            ([("1,000 yards",)], "1000"), ([("",)], "x"), ([("12 May 1990",)], "May 12, 1990"), ([("A-B",)], "a b")]:
        document = {"answers": [list(one) for one in answers]}
        yield rule_case("drop", document, answer, drop.process_results({"answers": answers}, [answer]))
    for golds, answer in [(["The cat"], " cat\nmore"), (["yes", "Yes it is", "no"], "yes"), (["red and blue", "red"], "blue, red!"), (["a"], "")]:
        document = {"questions": {"input_text": ["q"]}, "answers": {"input_text": [golds[0]]},
                    "additional_answers": {str(i): {"input_text": [gold]} for i, gold in enumerate(golds[1:])}}
        try:
            given = coqa.process_results(document, [answer])
        except AttributeError:  # transformers without squad_metrics
            break
        yield rule_case("coqa", document, answer, given, target=coqa.doc_to_target(document))


def main():
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        give_punkt(arguments.punkt_model, pathlib.Path(folder))
        cases = [*filter_cases(), *choice_cases(), *other_cases(), *generation_cases(), *aggregation_cases(), *ifeval_cases(),
                 *math_cases(), *other_rule_cases()]
    with arguments.out.open("w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
