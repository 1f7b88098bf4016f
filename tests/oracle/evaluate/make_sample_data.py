#!/usr/bin/env python3
"""Writes invented rows of the data sets that may not be copied, for compare_prompts.py.

    make_sample_data.py DATASETS [ROWS]

Rows have the columns and the oddities of the real ones (brackets, double spaces, quotes, titles,
several kinds of answer keys), and every split that tasks draw examples from.
"""

import json
import pathlib
import random
import sys

ROOT = pathlib.Path(sys.argv[1])
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 40
DRAWS = random.Random(5)
WORDS = ("river stone lamp quiet green under walk seven paper cloud it's \"so\" e.g. naïve 3.5% over "
         "market old bridge sings why not — always").split()


def text(low=3, high=12):
    return " ".join(DRAWS.choice(WORDS) for _ in range(DRAWS.randint(low, high)))


def write(path, config, split, make):
    file = ROOT / path / (config or "") / f"{split}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(make(i), ensure_ascii=False) + "\n" for i in range(ROWS)]
    file.write_text("".join(lines), "utf-8")


def keyed(count=4):
    labels = DRAWS.choice([list("ABCD"), list("1234")])[:count]
    return {"text": [text(1, 4) for _ in labels], "label": labels}


def arc(_):
    choices = keyed(DRAWS.choice([3, 4]))
    return {"question": text() + "?", "choices": choices, "answerKey": DRAWS.choice(choices["label"])}


def openbookqa(_):
    choices = keyed()
    choices["label"] = list("ABCD")
    return {"question_stem": text(), "choices": choices, "answerKey": DRAWS.choice("ABCD")}


def hellaswag(i):
    return {"activity_label": text(1, 3), "ctx_a": f"[header] {text()} [title] {text()}  {text()}.",
            "ctx_b": "" if i % 5 == 0 else text(2, 4), "ctx": "", "endings": [
                f" {text()} [substeps] {text()}  end {k}" for k in range(4)], "label": str(i % 4)}


def winogrande(_):
    return {"sentence": f"{text()} _ {text()}.", "option1": "Ann", "option2": "the Bo",
            "answer": DRAWS.choice("12")}


def math(subject):
    def make(i):
        return {"problem": text() + " $x^2$?", "level": f"Level {1 + i % 5}", "type": subject,
                "solution": f"We get ${text(1, 2)}$. So \\boxed{{\\frac{{{i}}}{{7}}}}."}
    return make


def gpqa(_):
    return {"Question": text(), "Correct Answer": text(1, 4) + " [title] x", "Incorrect Answer 1": " " + text(1, 4),
            "Incorrect Answer 2": text(1, 4) + "  [a]", "Incorrect Answer 3": text(1, 4)}


def musr(i):
    choices = [f"choice {k}" for k in range(2 + i % 4)]
    return {"narrative": text(30, 60), "question": text() + "?", "choices": repr(choices),
            "answer_index": i % len(choices), "answer_choice": choices[i % len(choices)]}


def mmlu_pro(i):
    count = 3 + i % 8
    return {"question_id": i, "question": text() + "?", "options": [text(1, 4) for _ in range(count)],
            "answer": "ABCDEFGHIJ"[i % count], "answer_index": i % count, "cot_content": "", "category": "x"}


def main():
    for config in ("ARC-Easy", "ARC-Challenge"):
        for split in ("train", "validation", "test"):
            write("allenai/ai2_arc", config, split, arc)
    for split in ("train", "validation", "test"):
        write("allenai/openbookqa", "main", split, openbookqa)
    for split in ("train", "validation"):
        write("Rowan/hellaswag", "", split, hellaswag)
        write("baber/piqa", "", split, lambda i: {"goal": text(), "sol1": text(), "sol2": text(), "label": i % 2})
        write("aps/super_glue", "boolq", split, lambda i: {
            "question": text(), "passage": text(20, 40), "idx": i, "label": i % 2})
        write("allenai/winogrande", "winogrande_xl", split, winogrande)
    for subject in ("algebra", "counting_and_probability", "geometry", "intermediate_algebra",
                    "number_theory", "prealgebra", "precalculus"):
        for split in ("train", "test"):
            write("DigitalLearningGmbH/MATH-lighteval", subject, split, math(subject))
    for config in ("gpqa_diamond", "gpqa_extended", "gpqa_main"):
        write("Idavidrein/gpqa", config, "train", gpqa)
    for split in ("murder_mysteries", "object_placements", "team_allocation"):
        write("TAUR-Lab/MuSR", "", split, musr)
    for split in ("validation", "test"):
        write("TIGER-Lab/MMLU-Pro", "", split, mmlu_pro)
    write("hails/agieval-logiqa-en", "", "test", lambda i: {
        "query": f"{text()}Q: {text()}? Answer Choices: (A)a (B)b\nA: Among A through B, the answer is",
        "choices": ["(A)a", "(B)b"], "gold": [i % 2]})
    write("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1", "test", lambda i: {
        "page": f" = {text(1, 3)} = \n \n {text(20, 40)} @-@ {text()} @,@ 000 s ' {text()} \n"})
    for split in ("train", "validation"):
        write("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1", split, lambda i: {"page": text()})


if __name__ == "__main__":
    main()
