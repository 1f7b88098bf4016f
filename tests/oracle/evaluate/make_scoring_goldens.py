#!/usr/bin/env python3
"""Makes the reference values of scoring: what lm-evaluation-harness 0.4.13 itself (filters,
process_results, aggregations, task rules) makes of constructed answers.

    make_scoring_goldens.py OUT.json SQUAD_METRICS

SQUAD_METRICS is data/metrics/squad_metrics.py of transformers 4, which the harness imports and transformers 5 no
longer has. Needs lm_eval with its math extras, sacrebleu, scikit-learn, word2number; the tests need only what it writes.
"""

import argparse
import ast
import collections
import functools
import json
import pathlib
import random
import sys
import types

from scoring_filter_cases import filter_cases
from scoring_rule_cases import choice_rule_cases, math_cases, other_rule_cases, plain, rule_case


def give_squad_metrics(source):
    """The comparison of answers, without what the module needs of transformers itself."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, (ast.Import, ast.FunctionDef))]
    for name in ("transformers.data", "transformers.data.metrics", "transformers.data.metrics.squad_metrics"):
        sys.modules[name] = types.ModuleType(name)
    module = sys.modules["transformers.data.metrics.squad_metrics"]
    sys.modules["transformers.data.metrics"].squad_metrics = module
    exec(compile(tree, str(source), "exec"), module.__dict__)


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
    task._aggregation_list, task._higher_is_better = {}, {}
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
        task = configurable(
            "multiple_choice", metrics, {}, choices=choices, target=gold, multiple_target=2 if several else 0
        )
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
        yield {
            "kind": "score",
            "task": {"output_type": "multiple_choice", "metrics": [{"metric": n} for n in metrics]},
            "item": {"choices": choices, "gold": golds},
            "responses": {"loglikelihoods": results},
            "metrics": expected,
        }


def other_cases():
    for results in [(-1.25, True), (-30.5, False)]:
        task = configurable("loglikelihood", ["perplexity", "acc"], {})
        given = task.process_results({}, [results])
        yield {
            "kind": "score",
            "task": {"output_type": "loglikelihood", "metrics": [{"metric": n} for n in given]},
            "item": {},
            "responses": {"loglikelihoods": [results]},
            "metrics": {name: [value] for name, value in given.items()},
        }
    names = ["word_perplexity", "byte_perplexity", "bits_per_byte"]
    for text in ["one two  three\n", "", "Straße\u3000数学 🙂", " a\x1cb ", "end."]:
        task = configurable("loglikelihood_rolling", names, {}, target=text)
        given = task.process_results({}, [-12.5])
        yield {
            "kind": "score",
            "task": {"output_type": "loglikelihood_rolling", "metrics": [{"metric": n} for n in names]},
            "item": {"target": text},
            "responses": {"rolling": [-12.5]},
            "metrics": {name: list(value) for name, value in given.items()},
        }


def generation_cases():
    settings = [
        {},
        {"ignore_case": True},
        {"ignore_punctuation": True},
        {"ignore_numbers": True},
        {"ignore_case": True, "ignore_punctuation": False, "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"]},
        {"regexes_to_ignore": ["\\s+"], "ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True},
    ]
    pairs = [
        ("72", "72"),
        ("72", "#### 72."),
        ("1,000", "$1000"),
        ("Paris", "paris."),
        ("it's", "its"),
        ("a1b2", "ab"),
        ("Größe!", "GRÖSSE"),
        ("Größe", "GRÖßE"),
        ("", ""),
        ("x y", "x  y"),
        (18, "18"),
        (2.0, "2.0"),
        (True, "True"),
    ]
    for arguments in settings:
        for target, answer in pairs:
            task = configurable("generate_until", ["exact_match"], arguments, target=target)
            given = task.process_results({}, [answer])
            yield generation_case(target, answer, arguments, given)
        for targets, answer in [(["a", "b"], "B"), (["x", "y", "z."], "z"), (["one"], "two")]:
            task = configurable(
                "generate_until", ["exact_match"], arguments, target=targets, multiple_target=len(targets)
            )
            yield generation_case(targets, answer, arguments, task.process_results({}, [answer]))


def generation_case(target, answer, arguments, given):
    return {
        "kind": "score",
        "task": {"output_type": "generate_until", "metrics": [{"metric": "exact_match", "arguments": arguments}]},
        "item": {"target": target},
        "responses": {"generations": [answer]},
        "metrics": {name: [float(value)] for name, value in given.items()},
    }


SENTENCES = [
    ("The quick brown fox jumps over the lazy dog.", "A quick brown fox jumped over the lazy dog!"),
    ("It costs $3.50 (about 3,20 euros) & more.", "It costs 3.50 dollars, about 3,20 euros and more."),
    ("Hello world", "Hello world"),
    ("", "something"),
    ("nothing", ""),
    ("Die Größe beträgt 12-14 cm.", "Die Grösse ist 12-14 cm."),
    ("a b c d e f", "d e f a b c"),
    ("&quot;quoted&quot; text-\nbroken", '"quoted" text broken'),
    ("数学 是 好", "数学 好 是"),
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
    classes = [(rnd.randrange(3), rnd.randrange(3)) for _ in range(6)]
    weights = [(-rnd.random() * 90, rnd.randint(5, 40)) for _ in range(23)]
    brier = []
    for _ in range(9):
        mass = [rnd.random() for _ in range(4)]
        brier.append((rnd.randrange(4), [one / sum(mass) for one in mass]))
    cases = [
        ("acc", "mean", hits),
        ("acc", "mean", [1.0]),
        ("x", "median", numbers),
        ("x", "nanmean", numbers),
        ("perplexity", "perplexity", numbers),
        ("word_perplexity", "weighted_perplexity", weights),
        ("bits_per_byte", "bits_per_byte", weights),
        ("f1", "f1", labels),
        ("mcc", "matthews_corrcoef", labels),
        ("mcc", "matthews_corrcoef", classes),
        ("brier_score", "brier_score", brier),
        ("cb", "cb_multi_fi", classes),
        ("bypass", "bypass", [999.0, 999.0]),
        ("bleu", "bleu", SENTENCES),
        ("chrf", "chrf", SENTENCES),
        ("chrf++", "chrf++", SENTENCES),
        ("ter", "ter", SENTENCES),
        ("bleu", "bleu", SENTENCES[5:6]),
        ("bleu", "bleu", [("abc", "xyz")]),
        ("ter", "ter", [("", "")]),
    ]
    for metric, aggregation, values in cases:
        function = M.AGGREGATION_REGISTRY[aggregation] if hasattr(M, "AGGREGATION_REGISTRY") else None
        if aggregation == "cb_multi_fi":
            from lm_eval.tasks.super_glue.cb.aggregate import cb_multi_fi as function
        elif function is None:
            from lm_eval.api.registry import get_aggregation

            function = get_aggregation(aggregation)
        replicates = 100 if metric in ("bleu", "chrf", "chrf++", "ter") else 100000
        named = once_per_table(function) if metric in ("f1", "mcc") else function
        error = M.stderr_for_metric(function, 1) and (
            lambda items, f=named, n=replicates: M.bootstrap_stderr(f, items, n)
        )
        error = M.stderr_for_metric(function, 1) if aggregation == "mean" else error
        yield {
            "kind": "aggregate",
            "metric": metric,
            "aggregation": aggregation,
            "values": [as_value(value) for value in values],
            "value": plain(function(values)),
            "stderr": plain(error(values)) if error and len(values) > 1 else None,
        }


def once_per_table(function):
    """The same function, asked once of each multiset of pairs: its value does not depend on their order."""
    known = {}

    @functools.wraps(function)
    def remembered(items):
        key = frozenset(collections.Counter(items).items())
        if key not in known:
            known[key] = function(items)
        return known[key]

    return remembered


def as_value(value):
    if isinstance(value, tuple) and isinstance(value[0], str):
        return {"texts": list(value)}
    if isinstance(value, tuple):
        flat = [value[0], *(value[1] if isinstance(value[1], list) else [value[1]])]
        return {"numbers": flat}
    return {"numbers": [value]}


def answer_cases():
    """Short answers: settings of triviaqa and nq_open; SQuAD 2.0 by its own comparison; wikitext's weights."""
    import transformers.data.metrics.squad_metrics as squad
    from lm_eval.tasks.wikitext import preprocess_wikitext as wikitext

    triviaqa = {"ignore_case": True, "ignore_punctuation": True}
    nq_open = {**triviaqa, "regexes_to_ignore": [r"\b(?:The |the |An |A |The |a |an )"]}
    for targets, answer in [
        (["Sunset Blvd", "Sunset Boulevard"], "sunset blvd."),
        (["the Nile"], "Nile"),
        (["A Nile", "b"], " a nile "),
        (["Ångström", "X-Y"], "ångström"),
        (["x"], ""),
        (["1,000", "1000"], "1000"),
    ]:
        for arguments in (triviaqa, nq_open):
            task = configurable(
                "generate_until", ["exact_match"], arguments, target=targets, multiple_target=len(targets)
            )
            yield generation_case(targets, answer, arguments, task.process_results({}, [answer]))
    for golds, answer in [
        (["the Norman people", "Normans"], "Norman"),
        ([], ""),
        ([], "Paris"),
        (["the"], ""),
        (["in 1066"], "1066 in"),
        (["Größe"], "größe"),
        (["a b c d"], "b c"),
        (["x"], ""),
    ]:
        kept = [gold for gold in golds if squad.normalize_answer(gold)] or [""]
        exact, f1 = (
            100.0 * max(compare(gold, answer) for gold in kept) for compare in (squad.compute_exact, squad.compute_f1)
        )
        kind = "NoAns" if kept == [""] else "HasAns"
        yield rule_case(
            "squad_v2",
            {"answers": {"text": golds}},
            answer,
            {"exact": exact, "f1": f1, kind + "_exact": exact, kind + "_f1": f1},
        )
    for page in ["one two  three\n", " Größe @-@ 数学 \n", "x"]:
        given = wikitext.process_results({"page": page}, (-31.5,))
        yield {
            "kind": "score",
            "task": {
                "output_type": "loglikelihood_rolling",
                "process_results": "wikitext",
                "metrics": [{"metric": name} for name in given],
            },
            "item": {"document": {"page": page}},
            "responses": {"rolling": [-31.5]},
            "metrics": {name: list(value) for name, value in given.items()},
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("squad_metrics", type=pathlib.Path)
    arguments = parser.parse_args()
    give_squad_metrics(arguments.squad_metrics)
    cases = [
        *filter_cases(),
        *choice_cases(),
        *other_cases(),
        *generation_cases(),
        *aggregation_cases(),
        *math_cases(),
        *other_rule_cases(),
        *choice_rule_cases(),
        *answer_cases(),
    ]
    with arguments.out.open("w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
