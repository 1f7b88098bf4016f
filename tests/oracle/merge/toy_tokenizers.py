"""Tiny models with tokenizers of several kinds, for compare_tokenizers.py. Needs the tokenizers library."""
import dataclasses
import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from toy_models import Size, make_model

TEXTS = {
    "verse": ["the rose is red the violet is blue and the sugar is sweet", "a rose by any other name would smell"],
    "sums": ["one plus two is three", "four plus five is nine", "what is 12 plus 30 ? it is 42"],
    "code": ["for i in range ( 10 ) : print ( i )", "def add ( a , b ) : return a + b", "if x > 0 : x = x - 1"],
}
SAMPLES = ["the rose is red", "what is 12 plus 30 ?", "for i in range(10): print(i)", "héllo wörld 🙂",
           "<s>a b</s>", "<|im_start|>user\nhi<|im_end|>\n", " two  spaces ", "sweet<pad>name", "<think>x</think>"]
PLAIN_SPECIALS = ["<unk>", "<s>", "</s>"]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
OTHER_TEMPLATE = "\n{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}  "


def byte_level(corpus, vocab, extra=()):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=PLAIN_SPECIALS, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TEXTS[corpus] * 3, trainer)
    tokenizer.add_tokens(list(extra))
    return tokenizer


def byte_fallback(corpus, vocab):
    """As sentencepiece BPE models come out of conversion: ▁ for spaces, <0x41> for bytes."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=PLAIN_SPECIALS, show_progress=False)
    trained.train_from_iterator(TEXTS[corpus] * 3, trainer)
    file = json.loads(trained.to_str())
    pieces = PLAIN_SPECIALS + [f"<0x{i:02X}>" for i in range(256)]
    pieces += [p for p in sorted(file["model"]["vocab"], key=file["model"]["vocab"].get) if p not in PLAIN_SPECIALS]
    file["model"].update(vocab={p: i for i, p in enumerate(pieces)}, byte_fallback=True, unk_token="<unk>",
                         fuse_unk=True)
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def unigram(corpus, vocab):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=vocab, special_tokens=PLAIN_SPECIALS, unk_token="<unk>",
                                      show_progress=False)
    tokenizer.train_from_iterator(TEXTS[corpus] * 3, trainer)
    return tokenizer


def reordered(tokenizer):
    """The same tokens, numbered backwards from the fourth on."""
    file = json.loads(tokenizer.to_str())
    vocab = file["model"]["vocab"]
    last = max(vocab.values())
    file["model"]["vocab"] = {t: i if i < len(PLAIN_SPECIALS) else last + len(PLAIN_SPECIALS) - i
                              for t, i in vocab.items()}
    return Tokenizer.from_str(json.dumps(file))


def with_bos(tokenizer):
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


@dataclasses.dataclass
class Toy:
    tokenizer: Tokenizer
    seed: int
    kind: str = "bf16"
    rows: int = 0  # 0: one for each token; negative: so many fewer
    family: str = "llama"
    tied: bool = False
    template: str = ""
    jinja: bool = False  # the template lies in a file of its own
    config: dict = dataclasses.field(default_factory=dict)
    no_tokenizer: bool = False


def toys():
    verse = with_bos(byte_level("verse", 300))
    chat = byte_level("sums", 310, [AddedToken("<|im_start|>", special=True, normalized=False),
                                    AddedToken("<|im_end|>", special=True, normalized=False),
                                    AddedToken("<think>", normalized=False), AddedToken("</think>")])
    retagged = byte_level("code", 290, [AddedToken("<think>", special=True, lstrip=True), "rose", "<|im_end|>"])
    padded = byte_level("verse", 300, ["<pad>", "plus"])
    return {
        "base": Toy(verse, 1, template=OTHER_TEMPLATE),
        "verse2": Toy(verse, 2, template=CHATML, jinja=True),
        "verse32": Toy(verse, 12, kind="f32", template=CHATML),
        "chat": Toy(chat, 3, template=CHATML, config={"eos_token": "<|im_end|>"}),
        "chat-padded": Toy(chat, 4, rows=352, template=CHATML,
                           config={"eos_token": {"__type": "AddedToken", "content": "<|im_end|>", "lstrip": False,
                                                 "normalized": False, "rstrip": False, "single_word": False}}),
        "code": Toy(retagged, 5),
        "chat32": Toy(chat, 25, kind="f32"),
        "code32": Toy(retagged, 26, kind="f32"),
        "reordered32": Toy(reordered(verse), 27, kind="f32"),
        "reordered": Toy(reordered(verse), 6),
        "more-rows": Toy(verse, 7, rows=320),
        "too-long": Toy(padded, 8, rows=-2, config={"pad_token": "<pad>"}),
        "config-pad": Toy(verse, 9, rows=320, config={"pad_token": "<pad>"}),
        "fallback": Toy(byte_fallback("verse", 120), 10),
        "fallback-sums": Toy(byte_fallback("sums", 110), 11, kind="f32"),
        "fallback-llama": Toy(byte_fallback("verse", 120), 21, config={"tokenizer_class": "LlamaTokenizer"}),
        "fallback-chat": Toy(byte_fallback("sums", 110), 22, config={
            "tokenizer_class": "LlamaTokenizer", "eos_token": "<|im_end|>", "additional_special_tokens": ["<|tool|>"]}),
        "verse-qwen": Toy(byte_level("verse", 300, [AddedToken("<|endoftext|>", special=True, normalized=False)]), 23,
                          config={"tokenizer_class": "Qwen2Tokenizer", "pad_token": "<|endoftext|>"}),
        "chat-gpt2": Toy(chat, 24, config={"tokenizer_class": "GPT2Tokenizer"}),
        "unigram": Toy(unigram("verse", 60), 13),
        "unigram-sums": Toy(unigram("sums", 50), 14),
        "tied": Toy(chat, 15, tied=True),
        "tied-verse": Toy(verse, 16, tied=True),
        "f16": Toy(chat, 17, kind="f16"),
        "none": Toy(verse, 18, no_tokenizer=True),
        "decoder": Toy(verse, 19, rows=310, config={"added_tokens_decoder": {
            "300": {"content": "<extra>", "lstrip": False, "normalized": False, "rstrip": True, "single_word": False,
                    "special": True}}}),
    }


def write_toys(folder):
    for name, toy in toys().items():
        tokens = toy.tokenizer.get_vocab_size()
        rows = toy.rows if toy.rows > 0 else tokens + toy.rows
        size = Size(hidden=40, inner=24, heads=4, kv_heads=2, vocab=rows, layers=2)
        path = folder / name
        make_model(path, toy.family, toy.kind, toy.seed, size=size, tied=toy.tied)
        if toy.no_tokenizer:
            continue
        toy.tokenizer.save(str(path / "tokenizer.json"))
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "bos_token": "<s>",
                  "eos_token": "</s>"} | toy.config
        if toy.template and not toy.jinja:
            config["chat_template"] = toy.template
        if toy.jinja:
            (path / "chat_template.jinja").write_text(toy.template)
        (path / "tokenizer_config.json").write_text(json.dumps(config, indent=2))
