#!/usr/bin/env python3
"""Writes goldens/functions.json: what the Python functions of lm-evaluation-harness's task folders
give for the invented rows below.

    make_function_goldens.py [OUT]      needs lm_eval 0.4.13

Every function stands under the path that document_functions.cpp knows it by; function_oracle_test.cpp
asks the built-in counterparts the same. Functions of whole data sets are given the rows, functions
of documents each row.
"""

import importlib.util
import json
import os
import pathlib
import random
import sys
import types

HERE = pathlib.Path(__file__).resolve().parent

MMLU = ["abstract_algebra", "high_school_us_history", "world_religions"]
PRO = ["computer science", "law", "math"]
LANGUAGE_FOLDERS = ["de", "zh", "yo"]


def named(value):
    return value.lower().replace(" & ", "_").replace(" ", "_")


def subject_cases():
    """(module, function, rows) of functions that keep the rows of one subject."""
    by_column = [{"subject": s, "subject_category": c, "n": i} for i, (s, c) in enumerate(
        [("abstract_algebra", "STEM"), ("world_religions", "Humanities"), ("abstract_algebra", "Social Sciences"),
         ("high_school_us_history", "Humanities"), ("anatomy", "Medical")])]
    for subject in MMLU:
        yield "global_mmlu/full/sw/utils", f"process_{subject}", by_column
    for category in ("STEM", "Social Sciences", "Humanities"):
        yield "global_mmlu/default/de/utils", f"process_{named(category)}", by_column
    files = [{"Subject": s} for s in ("abstract_algebra", "abstract_algebra_test.csv_sw-KE.csv", "world_religions_test-x",
                                      "high_school_us_history", "high_school_us_history_test.csv", None)]
    for subject in MMLU:
        yield "openai-mmmlu/default/utils", f"process_{subject}", files
    chat = [{"subtask_name": f"mmlu_{code}_chat.{s}"} for s in MMLU for code in ("de", "th")]
    for subject in MMLU:
        yield "llama3/instruct/mmlu_de/utils", f"process_docs_{subject}", chat
        yield "llama3/instruct/mmlu_th/utils", f"process_docs_{subject}", chat
    categories = [{"category": c, "n": i} for i, c in enumerate(PRO + ["law", "biology"])]
    for category in PRO:
        for module in ("mmlu_pro/utils", "mmlu_prox/de/utils", "mmlu-pro-plus/utils", "llama3/instruct/mmlu_pro/utils"):
            yield module, f"process_{named(category)}", categories
    domains = ["Arts & Humanities", "Driving License", "STEM", "Health oriented education"]
    for domain in domains:
        for module in ("include/default/Albanian/utils", "include/few_shot_en/North Macedonian/utils"):
            yield module, f"process_{named(domain)}", [{"domain": d} for d in domains * 2]
    people = [{"gender": g} for g in ("male", "neutral", "female", "male")]
    for gender in ("male", "female", "neutral"):
        yield "winogender/utils", f"filter_{gender}", people
    biases = [{"bias_type": b} for b in ("race-color", "gender-x", "socioeconomic", "physical-appearance", "age")]
    for name in ("race_color", "gender", "socio", "appearance", "age"):
        yield "crows_pairs/utils", f"filter_{name}", biases


def exam_cases():
    sr = [{"choice1": "a", "choice2": None, "choice3": "c", "choice4": "d", "answer": " B "},
          {"choice1": "a", "choice2": "b", "choice3": "", "choice4": "d", "answer": None}]
    for form in ("answer_only", "question_only", "question_and_answer"):
        yield f"mmlusr/{form}/utils", "process_docs", sr
    yield "tmmluplus/default/utils", "process_docs", [
        {"question": "問", "A": "甲", "B": "乙", "C": "丙", "D": "丁", "answer": a} for a in "AD"]
    yield "tmlu/default/utils", "process_docs", [
        {"question": "問", "A": "甲", "B": "乙", "C": "丙", "D": "丁", "E": e, "F": f, "answer": a}
        for e, f, a in (("戊", None, "E"), (None, None, "B"), ("戊", "己", "F"), ("", None, "C"))]
    yield "eus_exams/utils", "process_docs", [
        {"answer": a, "candidates": c} for a, c in
        ((0, ["a", "b", "c", "d"]), (4, ["a", "b", "c", "d"]), (2, ["", "", "", ""]), (None, ["a", "b", "c", ""]),
         (3, ["", "", "x", ""]))]
    yield "csatqa/utils", "process_docs", [
        {"context": "글", "question": "물음", "gold": g, **{f"option#{i}": f"답{i}" for i in range(1, 6)}} for g in ("3", "1")]


def arabic_cases():
    numbered = [{"query": "ما؟", "sol1": "أول", "sol2": "ثان", "sol3": "ثالث", "label": g, "__few_shots": False} for g in ("2", "0")]
    lettered = [{"subject": "islamic_studies_x", "question": "ما؟", "A": "أول", "B": "ثان", "C": "ثالث", "D": "رابع",
                 "answer": a} for a in "CA"]
    boolq = [{"question": "هل؟", "passage": "نص\nآخر", "answer": a} for a in (True, False)]
    toxic = [{"text": "قول", "toxicity_ai": a, "toxicity_human": h} for a, h in ((5.0, 0.5), (5.0, 0.6), (1.0, 1.0))]
    sciq = [{"support": f"نص {i}", "question": "ما؟", "distractor1": "خ1", "distractor2": "خ2", "distractor3": "خ3",
             "correct_answer": "ص"} for i in range(6)]
    copa = [{"premise": "مقدمة.", "choice1": "س", "choice2": "ع", "question": q, "label": g}
            for q, g in (("cause", 1), ("effect", 0))]
    hellaswag = [{"ctx": "نص [عنوان] بقية", "endings": "['أ [ب] ت', \"ث'ج\"]", "label": 1}]
    truths = [{"question": "س؟", "answer": a} for a in ("صح", "خطأ")]
    for base, end in (("arabic_leaderboard_complete/arabic_leaderboard_", ""),
                      ("arabic_leaderboard_light/arabic_leaderboard_", "_light")):
        for task, rows in (("alghafa", numbered), ("arabic_mt_mmlu", numbered), ("arabic_mt_race", numbered),
                           ("arabic_exams", lettered), ("arabic_mmlu", lettered), ("arabic_mt_boolq", boolq),
                           ("arabic_mt_toxigen", toxic), ("arabic_mt_sciq", sciq), ("arabic_mt_copa", copa),
                           ("arabic_mt_hellaswag", hellaswag), ("avca", truths)):
            yield f"{base}{task}{end}/utils", "process_docs", rows


def translation_cases():
    yield "okapi/arc_multilingual/utils", "process_docs", [
        {"id": "1", "instruction": " Was [x] ist?  Und", "option_a": "A [title] b", "option_b": "B", "option_c": "C",
         "option_d": d, "option_e": e, "answer": a} for d, e, a in (("D", None, "B"), ("", "E", "C"), ("D", "E", "E"))]
    yield "okapi/hellaswag_multilingual/utils", "process_docs", [
        {"ctx_a": "Ein Mann [header] steht.", "ctx_b": "er GEHT", "activity_label": "Gehen", "endings": ["weg  da", "her [substeps]"],
         "label": "1"}]
    yield "okapi/truthfulqa_multilingual/utils", "process_docs", [
        {"question": q, "mc1_targets_choices": ["a", "b"], "mc2_targets_choices": ["a", "b"], "mc2_targets_labels": [1, 0]}
        for q in (" Was [x] ist?", None)]
    pairs = [{"sentence1": a, "sentence2": b} for a, b in
             (("Do n't ( go ) .", "Élan \" vital \" ."), ("", "x"), ("A b ;", "C d"), (None, "y"), ("Es gut, oder ,", "Ja ' ja"))]
    for module in ("paws-x/utils", "spanish_bench/utils", "catalan_bench/utils"):
        yield module, "process_docs_paraphrases", pairs
    nli = [{"premise": "La casa ( roja ) !", "hypothesis": "És bonica"}, {"premise": "Sí, senyor", "hypothesis": "No és ."}]
    for module in ("spanish_bench/utils", "catalan_bench/utils"):
        yield module, "process_doc_nli", nli
    copa = [{"choice1": "Élla ve", "choice2": "ÑU va"}]
    yield "spanish_bench/utils", "process_docs_copa_es", copa
    yield "catalan_bench/utils", "process_docs_copa_ca", copa
    yield "llama3/instruct/arc_challenge/utils", "process_docs", [
        {"question": "q", "choices": {"text": list("wxyz")[:n], "label": [str(i + 1) for i in range(n)]}, "answerKey": k}
        for n, k in ((4, "3"), (3, "1"), (4, "B"))]
    yield "arithmetic/utils", "process_docs", [{"context": "\n\nQ: What is 1 plus 2?\n\nA:", "completion": " 3"}]
    yield "noreval/noropenbookqa/utils", "filter_dataset", [{"fact": "f"}, {"fact": ""}]
    yield "kobest/utils", "hellaswag_process_doc", [
        {"context": "글", "ending_1": "하나", "ending_2": "둘", "ending_3": "셋", "ending_4": "넷", "label": 2}]


def value_cases():
    """(module, function, documents)"""
    prox = [{"question": "Frage?", **{f"option_{i}": (f"o{i}" if i < n else None) for i in range(10)},
             "cot_content": "A: Denken wir Schritt für Schritt nach. Die Antwort ist (B)"} for n in (4, 10)]
    for language in LANGUAGE_FOLDERS:
        yield f"mmlu_prox/{language}/utils", "doc_to_text", prox
        yield f"mmlu_prox/{language}/utils", "fewshot_to_text", prox
    plus = [{"question": "q?", "options": [" a ", "b", "c"], "cot_content": "A: Let's think step by step. So. The answer is (B)."}]
    for function in ("doc_to_text", "fewshot_to_text", "fewshot_to_target"):
        yield "mmlu-pro-plus/utils", function, plus
    yield "llama3/instruct/mmlu_pro/utils", "fewshot_to_text", plus
    yield "crows_pairs/utils", "doc_to_choice", [{"sent_more": "a", "sent_less": "b"}]
    arabic = [{"Subject": "Law", "Level": level, "Country": country, "Context": context, "Question": "q?", "Option 1": "a",
               "Option 2": "b", "Option 3": third, "Option 4": None, "Option 5": fifth}
              for level, country, context, third, fifth in
              (("Prof", "UAE", "c", "c3", None), ("", None, None, None, None), (None, "", "", "c3", "e"))]
    for function in ("doc_to_text", "doc_to_choice"):
        yield "arabicmmlu/utils", function, arabic
    for folder, column in (("egymmlu", "egy_subject"), ("darijammlu", "subject_darija")):
        documents = [{column: "علم", "question": "س؟", "context": c, "choices": ["أ", "ب", "ج"][:n]} for c, n in (("", 3), ("نص", 2))]
        for function in ("doc_to_text", "doc_to_choice"):
            yield f"{folder}/utils", function, documents
    greek = [{"subject": s, "question": "τι;", "choices": ["α", "β", "γ", "δ"][:n]}
             for s, n in (("Law", 4), ("Maritime Safety and Rescue Operations", 2), ("Cooking", 3))]
    for function in ("doc_to_text", "doc_to_choice"):
        yield "greekmmlu/utils", function, greek
    afri = [{"subject": "law", "question": "{q}?", "choices": "['a', \"b's\", '{C}', 'd']"}]
    for form in ("direct", "translate"):
        for prompt in range(1, 6):
            for function in ("doc_to_text", "doc_to_choice"):
                yield f"afrimmlu/{form}/prompt_{prompt}/utils", function, afri
    nli = [{"premise": "p {x}", "hypothesis": "h", "label": label} for label in (0, 1, 2)]
    for form in ("direct", "translate"):
        for prompt in range(1, 6):
            yield f"afrixnli/{form}/prompt_{prompt}/utils", "doc_to_target", nli
        yield f"afrixnli/lai prompt/{form}/utils", "doc_to_target", nli
        yield f"afrixnli/lai prompt/{form}/utils", "doc_to_text", nli
    for form in ("en-direct", "translate"):
        yield f"afrixnli/anli prompt/{form}/utils", "doc_to_target", nli
    yield "paloma/paloma_utils", "doc_to_target", [{"text": "x\n"}]
    copa = [{"premise": "글.", "question": q, "alternative_1": "가", "alternative_2": "나", "label": g} for q, g in (("원인", 0), ("결과 ", 1))]
    for function in ("copa_doc_to_text", "copa_doc_to_target", "copa_doc_to_choice"):
        yield "kobest/utils", function, copa
    yield "kobest/utils", "sentineg_doc_to_text", [{"sentence": "글"}]
    yield "kobest/utils", "wic_doc_to_text", [{"context_1": "글", "context_2": "말", "word": "배"}]


def stand_in(*names):
    """Modules that task folders import for their metrics; documents need none of them."""
    for name in names:
        if name.split(".")[0] in ("transformers",) or importlib.util.find_spec(name.split(".")[0]) is None:
            sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["transformers.data.metrics"].squad_metrics = sys.modules["transformers.data.metrics.squad_metrics"]


def function_of(tasks, module, name):
    path = tasks / f"{module}.py"
    spec = importlib.util.spec_from_file_location(module.replace("/", "_"), path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)


def main():
    out = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE / "goldens" / "functions.json"
    os.environ["HF_DATASETS_OFFLINE"] = "1"
    stand_in("transformers.data.metrics", "transformers.data.metrics.squad_metrics", "evaluate", "rouge_score")
    import datasets
    import lm_eval.tasks

    datasets.disable_progress_bars()
    datasets.disable_caching()
    tasks = pathlib.Path(lm_eval.tasks.__file__).parent
    rows_cases, document_cases = [], []
    for cases in (subject_cases(), exam_cases(), arabic_cases(), translation_cases()):
        for module, name, rows in cases:
            random.seed(0)
            result = function_of(tasks, module, name)(datasets.Dataset.from_list(rows))
            rows_cases.append({"function": f"{module}.{name}", "rows": rows, "result": list(result)})
    for module, name, documents in value_cases():
        function = function_of(tasks, module, name)
        document_cases.append({"function": f"{module}.{name}", "documents": documents,
                               "result": [function(document) for document in documents]})
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in rows_cases + document_cases)
    out.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
