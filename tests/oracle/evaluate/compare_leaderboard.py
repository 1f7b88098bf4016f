"""Recomputes every score of a running daemon's leaderboard with transformers and compares.

    python compare_leaderboard.py [--server http://127.0.0.1:7345] --suites FOLDER

CRUCIBLE_TOKEN holds a token of the daemon (its state folder's file `token`). Needs torch and transformers, and read access to the model folders. For each row the model's folder is
loaded in float32; an item counts as right when its gold choice has the highest summed log-probability
(no beginning-of-sequence token, text of query and choice encoded together). FOLDER holds the suites'
JSONL files, one SUITE.jsonl for each column. Exit status 1 when any score differs.
"""

import argparse
import json
import os
import pathlib
import sys
import urllib.request

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


def fetch(server: str, path: str):
    headers = {"Authorization": f"Bearer {os.environ['CRUCIBLE_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(server + path, headers=headers), timeout=60) as reply:
        return json.load(reply)


@torch.no_grad()
def accuracy(model, tokenizer, path: pathlib.Path) -> float:
    items = [json.loads(line) for line in path.read_text().splitlines()]
    right = 0
    for item in items:
        start = len(tokenizer(item["query"], add_special_tokens=False)["input_ids"])
        scores = []
        for choice in item["choices"]:
            ids = torch.tensor([tokenizer(item["query"] + choice, add_special_tokens=False)["input_ids"]])
            logprobs = model(ids).logits.float().log_softmax(-1)[0, :-1]
            scores.append(logprobs.gather(1, ids[0, 1:, None])[start - 1:].sum().item())
        right += max(range(len(scores)), key=scores.__getitem__) == item["gold"]
    return right / len(items)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default="http://127.0.0.1:7345")
    parser.add_argument("--suites", type=pathlib.Path, required=True)
    arguments = parser.parse_args()

    torch.set_num_threads(1)  # the models are tiny; threads only wait for each other
    board = fetch(arguments.server, "/api/v1/leaderboard")
    compared = differing = 0
    for row in board["rows"]:
        folder = fetch(arguments.server, f"/api/v1/models/{row['model']['id']}")["path"]
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        for suite, score in sorted(row["scores"].items()):
            expected = accuracy(model.eval(), tokenizer, arguments.suites / f"{suite}.jsonl")
            same = abs(score["value"] - expected) < 1e-12
            compared += 1
            differing += not same
            mark = "same" if same else "DIFFERENT"
            print(f"{row['model']['name']:32} {suite:10} {score['value']:.6f} {expected:.6f} {mark}", flush=True)
    print(f"{compared} scores compared, {differing} differ")
    return 1 if differing or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
