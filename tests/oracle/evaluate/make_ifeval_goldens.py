#!/usr/bin/env python3
"""Makes the reference verdicts of IFEval: what lm-evaluation-harness 0.4.13 says of constructed answers.

    make_ifeval_goldens.py OUT.json INPUT_DATA PUNKT_MODEL

INPUT_DATA is IFEval's input_data.jsonl (google-research, Apache-2.0), of which OUT keeps the instructions' kinds and
arguments. PUNKT_MODEL is evaluator/text/data/punkt_english.txt. Each answer obeys about two in three of its prompt's
instructions. Needs lm_eval with its ifeval extras; the tests need only what it writes.
"""

import argparse
import json
import logging
import pathlib
import random
import tempfile

import langdetect
import nltk

WORDS = (
    "river stone Mr. garden seven window the of and a yellow letter station e.g. cloud it's paper-thin U.S. bread, "
    "morning (quiet) music; travel 3.5 maps Dr. Lee market: honest don't coat NASA lamp"
).split()
LANGUAGES = {
    "de": "Das Boot verließ den Hafen, bevor die Sonne aufging.",
    "fr": "Le bateau a quitté le port avant le lever du soleil.",
    "hi": "नाव सूरज निकलने से पहले बंदरगाह से चली गई।",
    "ko": "배는 해가 뜨기 전에 항구를 떠났습니다.",
    "ar": "غادر القارب الميناء قبل شروق الشمس.",
    "ru": "Лодка покинула гавань до восхода солнца.",
    "sw": "Mashua iliondoka bandarini kabla ya jua kuchomoza.",
    "bn": "সূর্য ওঠার আগেই নৌকাটি বন্দর ছেড়ে চলে গেল।",
    "kn": "ಸೂರ್ಯ ಹುಟ್ಟುವ ಮೊದಲು ದೋಣಿ ಬಂದರನ್ನು ಬಿಟ್ಟಿತು.",
    "te": "సూర్యుడు ఉదయించక ముందే పడవ నౌకాశ్రయం విడిచి వెళ్ళింది.",
    "pa": "ਸੂਰਜ ਚੜ੍ਹਨ ਤੋਂ ਪਹਿਲਾਂ ਕਿਸ਼ਤੀ ਬੰਦਰਗਾਹ ਛੱਡ ਗਈ।",
    "th": "เรือออกจากท่าก่อนพระอาทิตย์ขึ้น",
    "fa": "قایق پیش از طلوع آفتاب بندر را ترک کرد.",
    "vi": "Con thuyền rời cảng trước khi mặt trời mọc.",
}
BLANKS = ["", "  \n ", ".", "\n\n\n", "******", "***", '"', "[]", "{", "<<>>", "* ", "👍"]

PROSE = (
    'Dr. Smith went to Washington, D.C. on Jan. 5th at 3 p.m. He arrived late! Was it raining? "Yes," he said. '
    "P.S. The U.S. team won 3.5 points... Really (so they say). Mr. J. Bach agrees.\n\nSecond paragraph here; it has "
    "**bold words** and *light* ones.\n* one\n* two\n- three\n<<A title>> [name] [place]\nSection 1 a\nSection 2 b\n"
)
RESPONSES = [
    PROSE,
    PROSE.upper(),
    PROSE.lower(),
    "",
    "   ",
    '"' + PROSE + '"',
    '{"a": [1, 2]}',
    '```json\n{"a": 1}\n```',
    "```\n[1,]\n```",
    "My answer is yes.",
    "First *** second *** third",
    "*** a *** b ***",
    "One.\n******\nTwo.",
    "******\nOne.\n******\nTwo.\n******",
    "Repeat me now. And then the answer.",
    "Hello WORLD, it's NASA's BIG day",
    "That is all. Any other questions?",
    "# Title\nbody *a* ** ** text\nlast line",
    "P.P.S done",
    "*a\n * b\n** c\n  - d",
    "weekend\n\n'Alpha, beta\n\ngamma",
    "<<  >>",
    "no commas here",
    "The dog's dogs DOG. A hotdog!",
    "e" * 30 + "!" * 5,
]
INSTRUCTIONS = [
    ("keywords:existence", {"keywords": ["dog", "Dr"]}),
    ("keywords:existence", {"keywords": ["rain.*"]}),
    ("keywords:frequency", {"keyword": "dog ", "frequency": 3, "relation": "at least"}),
    ("keywords:frequency", {"keyword": "a", "frequency": 20, "relation": "less than"}),
    ("keywords:forbidden_words", {"forbidden_words": ["dog", "light"]}),
    ("keywords:letter_frequency", {"letter": "E", "let_frequency": 12, "let_relation": "at least"}),
    ("keywords:letter_frequency", {"letter": "s", "let_frequency": 4, "let_relation": "less than"}),
    ("length_constraints:number_sentences", {"num_sentences": 8, "relation": "at least"}),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 3}),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}),
    ("length_constraints:number_words", {"num_words": 60, "relation": "at least"}),
    ("length_constraints:number_words", {"num_words": 5, "relation": "less than"}),
    ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "Alpha"}),
    ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "dr"}),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}),
    ("detectable_format:number_bullet_lists", {"num_bullets": 3}),
    ("detectable_format:constrained_response", {}),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}),
    ("detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 2}),
    ("detectable_format:json_format", {}),
    ("detectable_format:title", {}),
    ("combination:two_responses", {}),
    ("combination:repeat_prompt", {"prompt_to_repeat": "repeat me NOW."}),
    ("startend:end_checker", {"end_phrase": "any other questions?"}),
    ("startend:quotation", {}),
    ("punctuation:no_comma", {}),
    ("change_case:capital_word_frequency", {"capital_frequency": 3, "capital_relation": "at least"}),
    ("change_case:capital_word_frequency", {"capital_frequency": 1, "capital_relation": "less than"}),
    ("change_case:english_capital", {}),
    ("change_case:english_lowercase", {}),
    ("language:response_language", {"language": "en"}),
    ("language:response_language", {"language": "de"}),
]


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
    for name, kind in (
        ("abbrev_types.txt", "A"),
        ("collocations.tab", "C"),
        ("sent_starters.txt", "S"),
        ("ortho_context.tab", "O"),
    ):
        (target / name).write_text("\n".join(tables[kind]) + "\n", encoding="utf-8")
    nltk.data.path.insert(0, str(folder))


def sentence(rnd, words):
    return " ".join(rnd.choice(WORDS) for _ in range(words)).capitalize() + rnd.choice([".", "!", "?", "...", '."'])


def count_for(rnd, relation, limit, obey):
    """A number that meets the limit, or just does not."""
    if relation == "less than":
        return max(0, limit - 1 - rnd.randrange(2)) if obey else limit
    return limit + rnd.randrange(2) if obey else max(0, limit - 1)


def body(rnd, ids, kwargs):
    """The text that the instructions on length ask for; others' is short."""
    for kind, one in zip(ids, kwargs):
        obey = rnd.random() < 0.65
        if kind == "language:response_language" and obey:
            return LANGUAGES.get(one["language"], "An English sentence instead.")
        if kind == "length_constraints:number_sentences":
            return " ".join(
                sentence(rnd, 4) for _ in range(count_for(rnd, one["relation"], one["num_sentences"], obey))
            )
        if kind == "length_constraints:number_words":
            number = min(count_for(rnd, one["relation"], one["num_words"], obey), 700)
            return " ".join(rnd.choice(["to", "be", "or", "a-b", "it's"]) for _ in range(number))
        if kind == "length_constraints:number_paragraphs":
            return "\n***\n".join(sentence(rnd, 5) for _ in range(one["num_paragraphs"] + (not obey)))
        if kind == "length_constraints:nth_paragraph_first_word":
            paragraphs = [sentence(rnd, 4) for _ in range(one["num_paragraphs"] + (rnd.random() < 0.2))]
            place = one["nth_paragraph"] - 1
            if obey and place < len(paragraphs):
                paragraphs[place] = (
                    rnd.choice(["", '"', "'"]) + one["first_word"].capitalize() + rnd.choice([", ", " ", "! "]) + "on."
                )
            return "\n\n".join(paragraphs)
    return " ".join(sentence(rnd, rnd.randint(3, 9)) for _ in range(rnd.randint(1, 4)))


def add(rnd, text, kind, one, obey):
    """The text with what one instruction asks for, or something like it."""
    if kind == "keywords:existence":
        return text + " " + " and ".join(one["keywords"] if obey else one["keywords"][1:]) + "."
    if kind == "keywords:frequency":
        return text + f" {one['keyword']}." * count_for(rnd, one["relation"], one["frequency"], obey)
    if kind == "keywords:forbidden_words" and not obey:
        return text + rnd.choice([" {}.", " x{}x", "\n{}"]).format(one["forbidden_words"][-1])
    if kind == "keywords:letter_frequency":
        return text + " " + one["letter"] * count_for(rnd, one["let_relation"], one["let_frequency"], obey)
    if kind == "detectable_content:number_placeholders":
        return text + " [a name]" * (one["num_placeholders"] - (not obey))
    if kind == "detectable_content:postscript":
        return (
            text + rnd.choice(["\n\n", " ", "\n"]) + (one["postscript_marker"] if obey else "PS:") + " One more thing."
        )
    if kind == "detectable_format:number_bullet_lists":
        return text + "".join(f"\n{rnd.choice('*-')} item" for _ in range(one["num_bullets"] + (not obey)))
    if kind == "detectable_format:constrained_response":
        return rnd.choice(["My answer is yes.", "So: My answer is maybe."]) if obey else "My answer is: no"
    if kind == "detectable_format:number_highlighted_sections":
        return text + rnd.choice([" *part {}*", " **part {}**", "\n*{}* "]).format(1) * (
            one["num_highlights"] - (not obey)
        )
    if kind == "detectable_format:multiple_sections":
        return "\n".join(f"{one['section_spliter']} {i}\n{text[:60]}" for i in range(1, one["num_sections"] + 1 + obey))
    if kind == "detectable_format:title":
        return ("<<A title>>\n" if obey else "<< >>\n") + text
    if kind == "combination:two_responses":
        return text + "\n******\n" + ("Another one." if obey else text)
    return text


def wrap(rnd, text, kind, one, obey):
    """What has to stand around everything else."""
    if kind == "change_case:capital_word_frequency":
        return text + " LOUD" * min(count_for(rnd, one["capital_relation"], one["capital_frequency"], obey), 60)
    if kind == "change_case:english_capital":
        return text.upper() if obey else text.upper() + " not"
    if kind == "change_case:english_lowercase":
        return text.lower() if obey else text.lower() + " Not"
    if kind == "punctuation:no_comma" and obey:
        return text.replace(",", "")
    if kind == "combination:repeat_prompt":
        return (one["prompt_to_repeat"] if obey else one["prompt_to_repeat"][:-3]) + "\n" + text
    if kind == "startend:end_checker":
        return text + "\n" + one["end_phrase"] + ("" if obey else " Or not")
    if kind == "detectable_format:json_format":
        value = json.dumps({"text": text}, ensure_ascii=False)
        return rnd.choice(["{}", "```json\n{}\n```", "```\n{}\n```"]).format(value) if obey else value + "}"
    if kind == "startend:quotation":
        return f'"{text}"' if obey else f'"{text}'
    return text


def answer(rnd, ids, kwargs):
    if rnd.random() < 0.04:
        return rnd.choice(BLANKS)
    text = body(rnd, ids, kwargs)
    for change in (add, wrap):
        for kind, one in zip(ids, kwargs):
            text = change(rnd, text, kind, one, rnd.random() < 0.65)
    if rnd.random() < 0.3:  # what the loose reading forgives
        text = rnd.choice(
            ["Sure! Here it is:\n{}", "{}\nHope this helps, friend.", "**{}**", "Sure:\n{}\nBye, now."]
        ).format(text)
    return text


def usable(ids, kwargs):
    """Whether the harness takes the prompt's own arguments; it draws others for a letter that is none."""
    return all(
        kind != "keywords:letter_frequency" or one["letter"].lower() in "abcdefghijklmnopqrstuvwxyz"
        for kind, one in zip(ids, kwargs)
    )


def main():
    parser = argparse.ArgumentParser()
    for name in ("out", "input_data", "punkt_model"):
        parser.add_argument(name, type=pathlib.Path)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    langdetect.DetectorFactory.seed = 0
    rnd = random.Random(11)
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        give_punkt(arguments.punkt_model, pathlib.Path(folder))
        from lm_eval.tasks.ifeval import utils

        def judge(prompt, ids, kwargs, text):
            document = {"key": 1, "prompt": prompt, "instruction_id_list": ids, "kwargs": kwargs}
            given = utils.process_results(document, [text])
            cases.append(
                {
                    "instruction_id_list": ids,
                    "kwargs": kwargs,
                    "text": text,
                    "strict": [int(one) for one in given["inst_level_strict_acc"]],
                    "loose": [int(one) for one in given["inst_level_loose_acc"]],
                }
            )

        for line in arguments.input_data.read_text(encoding="utf-8").splitlines():
            prompt = json.loads(line)
            ids = prompt["instruction_id_list"]
            kwargs = [{key: value for key, value in one.items() if value is not None} for one in prompt["kwargs"]]
            if not usable(ids, kwargs):
                continue
            judge(prompt["prompt"], ids, kwargs, answer(rnd, ids, kwargs))
        for text in RESPONSES:
            judge("p", *map(list, zip(*INSTRUCTIONS)), text)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    arguments.out.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    verdicts = [one for case in cases for one in case["strict"]]
    print(len(cases), "answers,", len(verdicts), "instructions,", sum(verdicts), "followed")


if __name__ == "__main__":
    main()
