"""GGUF files: written from a model folder, scored in place of its weights, refused with the exit code that says why."""

import json
import shutil
import subprocess

from conftest import FAMILY, binary

SUITE = FAMILY / "suites" / "sums.yaml"


def run(*arguments, code=0):
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done


def score(*flags):
    done = run("eval", FAMILY / "sums", "--suite", SUITE, "--json", *flags)
    return json.loads(done.stdout)["items"][0]


def test_a_file_scores_as_its_folder(tmp_path):
    report = json.loads(run("export-gguf", FAMILY / "sums", tmp_path / "sums.gguf", "--type", "f32", "--json").stdout)
    assert report["path"] == str(tmp_path / "sums.gguf")
    assert report["bytes"] == (tmp_path / "sums.gguf").stat().st_size
    assert (report["architecture"], report["tokenizer"], report["pre_tokenizer"]) == ("llama", "gpt2", "gpt-2")
    assert report["warnings"] == []
    own, exported = score(), score("--gguf", tmp_path / "sums.gguf")
    assert exported["score"] == own["score"]
    assert exported["dtype"] == "f32"


def test_quantised_files_are_smaller(tmp_path):
    sizes = []
    for kind in ("f32", "f16", "q8_0", "q4_k_m"):
        run("export-gguf", FAMILY / "sums", tmp_path / kind, "--type", kind)
        sizes.append((tmp_path / kind).stat().st_size)
        assert score("--gguf", tmp_path / kind)["dtype"] == kind
    assert sizes == sorted(sizes, reverse=True)
    assert len(list(tmp_path.iterdir())) == 4


def test_refusals_leave_nothing(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FAMILY / "base", folder)
    (folder / "tokenizer.json").unlink()
    out = tmp_path / "out.gguf"
    assert "no tokenizer.json" in run("export-gguf", folder, out, code=3).stderr
    run("export-gguf", tmp_path / "missing", out, code=4)
    run("export-gguf", FAMILY / "base", out, "--type", "q3", code=2)
    assert list(tmp_path.iterdir()) == [folder]
    out.write_text("mine")
    run("export-gguf", FAMILY / "base", out, code=3)
    assert out.read_text() == "mine"
