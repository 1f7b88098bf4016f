#!/usr/bin/env python3
"""Makes the reference prompts of chat templates: tokenizer.apply_chat_template of transformers 5.24.0.

    make_chat_goldens.py [--out FOLDER] [TEMPLATES]

TEMPLATES, a folder of *.jinja, is chat_goldens beside this script unless given. For every template it renders the
conversations of chat_goldens/conversations.json with and without a generation prompt, and continues the last message
of those that end with the assistant. <name>.json, beside the template or in FOLDER, lists what came of it in this
order: [conversation, mode, text], or [conversation, mode, null, error] where the template or transformers refuses.

Templates that may not be committed are compared the same way: render them into a folder elsewhere and give that to
the test as CRUCIBLE_CHAT_GOLDENS. Needs transformers and jinja2; the tests need only what it writes.
"""
import argparse
import datetime
import json
import pathlib

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).resolve().parent / "chat_goldens"
NOW = 1750000000  # what the test gives as SOURCE_DATE_EPOCH
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
MODES = {
    "plain": {},
    "prompt": {"add_generation_prompt": True},
    "continue": {"continue_final_message": True},
}


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, datetime.timezone.utc)


def modes_of(messages):
    continued = messages[-1]["role"] == "assistant" and isinstance(messages[-1]["content"], str)
    return [mode for mode in MODES if mode != "continue" or continued]


def render(tokenizer, conversation, mode):
    messages = json.loads(json.dumps(conversation["messages"]))
    try:
        text = tokenizer.apply_chat_template(messages, tools=conversation.get("tools"), tokenize=False, **MODES[mode])
        return [conversation["name"], mode, text]
    except Exception as error:  # whatever a template does wrong
        return [conversation["name"], mode, None, f"{type(error).__name__}: {error}"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("templates", type=pathlib.Path, nargs="?", default=HERE)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    chat_template_utils.datetime = FixedClock
    conversations = json.loads((HERE / "conversations.json").read_text())
    vocabulary = {token: i for i, token in enumerate(SPECIAL_TOKENS.values())}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(vocabulary, unk_token="<unk>")), **SPECIAL_TOKENS)
    for template in sorted(arguments.templates.glob("*.jinja")):
        tokenizer.chat_template = template.read_bytes().decode()
        cases = [render(tokenizer, conversation, mode)
                 for conversation in conversations for mode in modes_of(conversation["messages"])]
        golden = (arguments.out or arguments.templates) / f"{template.stem}.json"
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        golden.write_text(f"[{lines}]\n")
        print(f"{template.stem}: {len(cases)} prompts, {sum(case[2] is None for case in cases)} refused")


if __name__ == "__main__":
    main()
