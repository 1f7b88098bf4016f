"""The recipes that compare_methods.py runs: METHODS, from a method's name to its cases.

A case becomes one recipe for each kind of checkpoint (KINDS). To cover a new method or parameter, add rows.
"""
import dataclasses

from toy_models import ODD, Size

SIZES = {
    "odd": dataclasses.replace(ODD, layers=3),
    "narrow": Size(hidden=12, inner=1, heads=2, kv_heads=1, vocab=5, layers=2),  # one row, and rows of one
    "wide": Size(hidden=64, inner=200, heads=4, kv_heads=2, vocab=1001, layers=2),
    "large": Size(hidden=256, inner=300, heads=4, kv_heads=2, vocab=4500, layers=1),  # over 2^20 elements
}
# Of the base and of each model, by letter.
MIXED = {
    "mixed": {"base": "bf16", "a": "bf16", "b": "f32", "c": "f16"},
    "mixed16": {"base": "bf16", "a": "f16", "b": "bf16", "c": "f16"},
}
KINDS = ("f32", "bf16", "f16")


@dataclasses.dataclass(frozen=True)
class Case:
    note: str
    names: str = "ab"  # a model each
    base: str | None = "base"
    shared: dict = dataclasses.field(default_factory=dict)
    per_model: dict = dataclasses.field(default_factory=dict)  # a tuple gives each model its own value
    kinds: tuple = KINDS
    dtype: str | None = None
    out_dtype: str | None = None
    family: str = "llama"
    size: str = "odd"
    tied: str = ""  # letters of the models with tied embeddings
    step: float | None = None  # values are its multiples: many equal magnitudes
    slices: tuple = ()  # layer ranges
    seed: int = 0

    def kind_of(self, letter, kind):
        return MIXED[kind][letter] if kind in MIXED else kind

    def model(self, letter, kind):
        """(folder name, what toy_models.make_model needs)."""
        own = self.kind_of(letter, kind)
        tied = letter in self.tied
        parts = [self.family, own, self.size, letter] + ["tied"] * tied + ([f"step{self.step}"] if self.step else [])
        seed = 1 if letter == "base" else 2 + "abcdefgh".index(letter)
        return "-".join(parts), {"family": self.family, "kind": own, "seed": seed, "size": SIZES[self.size],
                                 "tied": tied, "step": self.step}

    def letters(self):
        return list(self.names) + ([self.base] if self.base and self.base not in self.names else [])

    def parameters_of(self, number):
        return {k: v[number] if isinstance(v, tuple) else v for k, v in self.per_model.items()}

    def recipe(self, method, kind):
        def entry(number, letter, **more):
            result = {"model": "models/" + self.model(letter, kind)[0], **more}
            if letter != self.base and self.parameters_of(number):
                result["parameters"] = self.parameters_of(number)
            return result

        recipe = {"merge_method": method}
        if self.base:
            recipe["base_model"] = "models/" + self.model(self.base, kind)[0]
        if self.slices:
            order = ([self.base] if self.base and self.base not in self.names else []) + list(self.names)
            recipe["slices"] = [
                {"sources": [entry(self.names.find(x), x, layer_range=list(span)) for x in order]}
                for span in self.slices]
        else:
            recipe["models"] = [entry(i, x) for i, x in enumerate(self.names)]
        for key, value in (("parameters", self.shared), ("dtype", self.dtype), ("out_dtype", self.out_dtype)):
            if value:
                recipe[key] = value
        return recipe


def mixes(**common):
    """The same recipe under every kind of type conversion."""
    yield Case("float32-to-bfloat16", kinds=("bf16",), dtype="float32", out_dtype="bfloat16", **common)
    yield Case("dtype-bfloat16", kinds=("f32",), dtype="bfloat16", **common)
    yield Case("dtype-float16", kinds=("bf16",), dtype="float16", **common)
    yield Case("out-float16", kinds=("f32",), out_dtype="float16", **common)
    yield Case("out-float32", kinds=("bf16",), out_dtype="float32", **common)
    yield Case("promoted", kinds=("mixed", "mixed16"), **common)
    yield Case("double", kinds=("f64",), **common)


GRADIENT = [0.1, 0.9, 0.4]
FILTERED = [{"filter": "mlp", "value": [0.9, 0.3]}, {"filter": "self_attn", "value": 0.25}, {"value": 0.6}]
SLERP_T = [{"filter": "self_attn", "value": [0, 0.5, 0.3, 0.7, 1]}, {"filter": "mlp", "value": [1, 0.5, 0.7, 0.3, 0]},
           {"value": 0.5}]
THREE = (0.9, 0.5, 0.3)
SIX = (0.9, 0.5, -0.3, 0.7, 0.2, 0.45)


def linear():
    plain = {"base": None, "names": "abc", "per_model": {"weight": THREE}}
    yield Case("three", **plain)
    yield from mixes(**plain)
    yield Case("one", "a", None, per_model={"weight": 0.3})
    yield Case("six-unnormalised", "abcdef", None, {"normalize": False}, {"weight": SIX})
    yield Case("negative", "ab", None, per_model={"weight": (1.5, -0.75)})
    yield Case("gradient-filter", "ab", None, per_model={"weight": (GRADIENT, FILTERED)})
    yield Case("base-counts", "ab", shared={"weight": 0.5})
    yield Case("qwen2", "ab", None, per_model={"weight": (0.4, 0.7)}, family="qwen2")
    yield Case("tied", "ab", "b", shared={"weight": 0.4}, tied="a")
    yield Case("narrow", "ab", None, per_model={"weight": (0.4, 0.7)}, size="narrow")
    yield Case("wide", "ab", None, per_model={"weight": (0.4, 0.7)}, size="wide")


def slerp():
    plain = {"base": "a", "names": "ab", "shared": {"t": SLERP_T}}
    yield Case("filters", **plain)
    yield from mixes(**plain)
    yield Case("base-second", "ab", "b", {"t": 0.35}, family="mistral")
    yield Case("tied", "ab", "a", {"t": 0.25}, tied="a")
    yield Case("narrow", "ab", "a", {"t": 0.7}, size="narrow")
    yield Case("wide", "ab", "a", {"t": 0.4}, size="wide")
    yield Case("large", "ab", "a", {"t": 0.4}, size="large", kinds=("f32", "bf16"))
    yield Case("beyond", "ab", "a", {"t": [-0.3, 1.4]})
    yield Case("slices", "ab", "a", {"t": GRADIENT}, slices=((0, 2), (1, 3)))


def nuslerp():
    plain = {"base": None, "names": "ab", "per_model": {"weight": (0.6, 0.3)}}
    yield Case("flat", **plain)
    yield from mixes(**plain)
    yield Case("based", "ab", per_model={"weight": (0.6, 0.3)})
    yield Case("rows", "ab", None, {"nuslerp_flatten": False}, {"weight": (0.6, 0.3)})
    yield Case("columns", "ab", None, {"nuslerp_flatten": False, "nuslerp_row_wise": True}, {"weight": (0.6, 0.3)})
    yield Case("based-rows", "ab", "base", {"nuslerp_flatten": False}, {"weight": (0.6, 0.3)})
    yield Case("based-columns", "ab", "base", {"nuslerp_flatten": False, "nuslerp_row_wise": True},
               {"weight": (0.6, 0.3)})
    yield Case("no-weight", "ab", None, per_model={"weight": (0.5, -0.5)})
    yield Case("beyond", "ab", None, per_model={"weight": (1.5, -0.5)})
    yield Case("gradient-filter", "ab", None, per_model={"weight": (GRADIENT, FILTERED)}, family="qwen2")
    yield Case("narrow", "ab", None, per_model={"weight": (0.6, 0.3)}, size="narrow")
    yield Case("narrow-rows", "ab", "base", {"nuslerp_flatten": False}, {"weight": (0.6, 0.3)}, size="narrow")
    yield Case("wide", "ab", "base", per_model={"weight": (0.6, 0.3)}, size="wide")
    yield Case("wide-rows", "ab", None, {"nuslerp_flatten": False}, {"weight": (0.6, 0.3)}, size="wide")
    yield Case("large", "ab", None, per_model={"weight": (0.6, 0.3)}, size="large", kinds=("f32", "bf16"))


def multislerp():
    plain = {"base": None, "names": "abc", "per_model": {"weight": THREE}}
    yield Case("three", **plain)
    yield from mixes(**plain)
    yield Case("based", "abc", per_model={"weight": THREE})
    yield Case("one", "a", per_model={"weight": 0.5})
    yield Case("two", "ab", None, per_model={"weight": (0.6, 0.3)})
    yield Case("six-unnormalised", "abcdef", "base", {"normalize_weights": False}, {"weight": 0.2})
    yield Case("eps", "abc", "base", {"eps": 0.01}, {"weight": THREE})
    yield Case("gradient-filter", "ab", None, per_model={"weight": (GRADIENT, FILTERED)})
    yield Case("narrow", "abc", "base", per_model={"weight": THREE}, size="narrow")
    yield Case("wide", "abc", "base", per_model={"weight": THREE}, size="wide")


def karcher():
    plain = {"base": None, "names": "abc"}
    yield Case("three", **plain)
    yield from mixes(**plain)
    yield Case("one", "a", None)
    yield Case("two", "ab", None)
    yield Case("six", "abcdef", None)
    yield Case("base-counts", "ab")
    yield Case("iterations", "abc", None, {"max_iter": 2})
    yield Case("tolerance", "abc", None, {"tol": 0.01, "max_iter": 50})
    yield Case("narrow", "abc", None, size="narrow")
    yield Case("wide", "abc", None, size="wide")


# In which of two copies of a layer mergekit draws first follows from the order of a Python set.
ONCE_EACH = ((0, 1), (1, 3))


def task_vectors(density=True, slices=((0, 2), (1, 3)), **shared):
    """Cases of every method that sums weighted, pruned differences."""
    dense = {"density": (0.5, 0.3, 0.7)} if density else {}
    plain = {"names": "abc", "shared": shared, "per_model": {"weight": THREE, **dense}}
    yield Case("three", seed=1, **plain)
    yield from mixes(seed=2, **plain)
    yield Case("one", "a", "base", shared, {"weight": 0.7, **({"density": 0.53} if density else {})}, seed=3)
    yield Case("six", "abcdef", "base", shared, {"weight": SIX, **({"density": 0.4} if density else {})}, seed=4)
    yield Case("toggles", "abc", "base", {**shared, "normalize": True, "rescale": False, "lambda": 0.7},
               plain["per_model"], seed=5)
    yield Case("toggles-other", "abc", "base", {**shared, "normalize": False, "rescale": True, "lambda": 1.3},
               plain["per_model"], seed=6)
    yield Case("negative", "ab", "base", shared,
               {"weight": (0.5, -0.5), **({"density": 0.6} if density else {})}, seed=7)
    yield Case("gradient-filter", "ab", "base", shared,
               {"weight": (GRADIENT, FILTERED), **({"density": ([0.3, 0.7], 0.5)} if density else {})}, seed=8)
    yield Case("dense", "ab", "base", shared, {"weight": (0.5, 0.4)}, seed=9)
    yield Case("equal-magnitudes", step=1 / 64, seed=10, **plain)
    yield Case("wide", size="wide", seed=12, kinds=("f32", "bf16"), **plain)
    yield Case("large", size="large", seed=15, kinds=("f32", "bf16"), **plain)
    yield Case("slices", slices=slices, seed=13, kinds=("f32",), **plain)
    yield Case("qwen2", family="qwen2", seed=14, kinds=("bf16",), **plain)


def task_arithmetic():
    yield from task_vectors(density=False)
    yield Case("narrow", "abc", per_model={"weight": THREE}, size="narrow")


def ties():
    yield from task_vectors()
    yield Case("nothing-kept", "abc", per_model={"weight": THREE, "density": (0.0, 0.001, 0.5)})
    yield Case("nothing-at-all", "ab", "base", {"rescale": True}, {"weight": 0.5, "density": 0.0})
    yield Case("narrow", "abc", per_model={"weight": THREE, "density": 0.5}, size="narrow")
    yield Case("int8-mask", "ab", "base", {"int8_mask": True}, {"weight": 0.5, "density": 0.4}, kinds=("bf16",))
    yield Case("out-of-range", "abc", per_model={"weight": (1.5, -2.0, 0.5), "density": (1.5, -0.5, 0.5)},
               kinds=("f32",))


def dare():
    yield from task_vectors(slices=ONCE_EACH)
    yield Case("nothing-kept", "abc", per_model={"weight": THREE, "density": (0.0, 0.001, 0.5)}, seed=20)
    yield Case("narrow", "abc", per_model={"weight": THREE, "density": 0.5}, size="narrow", seed=21)
    yield Case("seed", "ab", per_model={"weight": 0.5, "density": 0.9}, seed=4_000_000_000)
    yield Case("out-of-range", "ab", per_model={"weight": 0.5, "density": (1.5, 0.5)}, seed=22, kinds=("f32",))
    yield Case("double-rescaled", "ab", per_model={"weight": (0.9, 0.3), "density": 0.4}, seed=23, kinds=("f64",))


def della():
    yield from task_vectors(slices=ONCE_EACH)
    yield Case("epsilon", "abc", "base", {"epsilon": 0.05}, {"weight": THREE, "density": (0.1, 0.5, 0.9)}, seed=30)
    yield Case("epsilon-each", "ab", "base", {}, {"weight": 0.5, "density": 0.5, "epsilon": (0.01, 0.4)}, seed=31)
    yield Case("nothing-kept", "ab", per_model={"weight": 0.5, "density": (0.0, 0.5)}, seed=32)
    yield Case("narrow", "ab", per_model={"weight": 0.5, "density": 0.5}, size="narrow", seed=33)
    yield Case("out-of-range", "ab", per_model={"weight": 0.5, "density": 0.1}, seed=34, kinds=("f32",))


def breadcrumbs():
    yield from task_vectors()
    yield Case("gamma", "abc", "base", {"gamma": 0.1}, {"weight": THREE, "density": (0.9, 0.5, 0.95)})
    yield Case("gamma-each", "ab", "base", {}, {"weight": 0.5, "density": 0.6, "gamma": (0.0, 0.3)})
    yield Case("nothing-kept", "abc", per_model={"weight": THREE, "density": (0.0, 0.001, 0.5)})
    yield Case("narrow", "ab", "base", {"gamma": 0.2}, {"weight": 0.5, "density": 0.5}, size="narrow")
    yield Case("out-of-range", "abc", "base", {}, {"weight": 0.5, "density": (1.5, -0.5, 0.7), "gamma": (0.1, 0.1, 1.5)},
               kinds=("f32",))
    yield Case("negative-gamma", "ab", "base", {"gamma": -0.1}, {"weight": 0.5, "density": (0.5, 0.95)},
               kinds=("f32",))


def model_stock():
    plain = {"names": "abc"}
    yield Case("three", **plain)
    yield from mixes(**plain)
    yield Case("two", "ab")
    yield Case("six", "abcdef")
    yield Case("rows", "abc", "base", {"filter_wise": True})
    yield Case("rows-qwen2", "ab", "base", {"filter_wise": True}, family="qwen2")
    yield Case("equal-magnitudes", "abc", "base", {}, step=1 / 64)
    yield Case("narrow", "abc", size="narrow")
    yield Case("narrow-rows", "abc", "base", {"filter_wise": True}, size="narrow")
    yield Case("wide", "abc", size="wide")
    yield Case("wide-rows", "abc", "base", {"filter_wise": True}, size="wide")


def sce():
    plain = {"names": "abc", "shared": {"select_topk": 0.4}}
    yield Case("three", **plain)
    yield from mixes(**plain)
    yield Case("all", "abc")
    yield Case("one", "a", "base", {"select_topk": 0.4})
    yield Case("two", "ab", "base", {"select_topk": 0.7})
    yield Case("six", "abcdef", "base", {"select_topk": 0.15})
    yield Case("nothing", "ab", "base", {"select_topk": 0.0})
    yield Case("gradient", "ab", "base", {"select_topk": [0.2, 0.9]})
    yield Case("equal-magnitudes", "abc", "base", {"select_topk": 0.4}, step=1 / 64)
    yield Case("narrow", "abc", "base", {"select_topk": 0.4}, size="narrow")
    yield Case("wide", "abc", "base", {"select_topk": 0.4}, size="wide")
    yield Case("int8-mask", "ab", "base", {"select_topk": 0.5, "int8_mask": True}, kinds=("bf16",))
    yield Case("large", "abc", "base", {"select_topk": 0.3}, size="large", kinds=("f32", "bf16"))
    yield Case("large-few", "ab", "base", {"select_topk": 0.01}, size="large", kinds=("bf16",))
    yield Case("double-selected", "abc", "base", {"select_topk": 0.3}, step=1 / 64, kinds=("f64",))


def ram():
    plain = {"names": "abc", "shared": {"epsilon": 0.01}}
    yield Case("three", **plain)
    yield from mixes(**plain)
    yield Case("default", "abc")
    yield Case("one", "a")
    yield Case("six", "abcdef", "base", {"epsilon": 0.02})
    yield Case("equal-magnitudes", "abc", step=1 / 64)
    yield Case("narrow", "abc", "base", {"epsilon": 0.01}, size="narrow")
    yield Case("wide", "abc", "base", {"epsilon": 0.01}, size="wide")


def ramplus_tl():
    yield from ram()
    yield Case("negative-epsilon", "ab", "base", {"epsilon": -0.5}, kinds=("f32",))
    yield Case("r-alpha", "abc", "base", {"epsilon": 0.02, "r": 0.5, "alpha": 0.1})


def nearswap():
    plain = {"names": "a", "shared": {"t": 0.01}}
    yield Case("small", **plain)
    yield from mixes(**plain)
    yield Case("zero", "a", "base", {"t": 0.0})
    yield Case("one", "a", "base", {"t": 1.0})
    yield Case("gradient-filter", "a", "base", {"t": [{"filter": "mlp", "value": [0.001, 0.02]}, {"value": 0.005}]})
    yield Case("equal-magnitudes", "a", "base", {"t": 0.01}, step=1 / 64)
    yield Case("narrow", "a", "base", {"t": 0.01}, size="narrow")
    yield Case("wide", "a", "base", {"t": 0.01}, size="wide")


def arcee_fusion():
    yield Case("pair", "a")
    yield from mixes(names="a")
    yield Case("qwen2", "a", family="qwen2")
    yield Case("equal-magnitudes", "a", step=1 / 64)
    yield Case("narrow", "a", size="narrow")
    yield Case("wide", "a", size="wide")
    yield Case("large", "a", size="large", seed=50, kinds=("f32", "bf16"))


def consensus_ta():
    plain = {"names": "abc"}
    yield Case("three", **plain)
    yield from mixes(**plain)
    yield Case("one", "a", "base", {"least_masks": 1})
    yield Case("six", "abcdef", "base", {"least_masks": 3, "lambda": 0.4}, {"mask_threshold": 0.2})
    yield Case("weights", "abc", "base", {"lambda": 0.7}, {"weight": THREE, "mask_threshold": (0.2, 0.4, 0.6)})
    yield Case("equal-magnitudes", "abc", step=1 / 64)
    yield Case("gradient-filter", "ab", per_model={"mask_threshold": (GRADIENT, FILTERED)})
    yield Case("narrow", "abc", size="narrow")
    yield Case("wide", "abc", size="wide")


def passthrough():
    plain = {"base": None, "names": "a"}
    yield Case("copy", **plain)
    yield from (case for case in mixes(**plain) if "promoted" not in case.note)
    yield Case("scale", "a", None, per_model={"scale": 0.3})
    yield Case("scale-filter", "a", None,
               per_model={"scale": [{"filter": "o_proj", "value": 0.0}, {"filter": "mlp", "value": GRADIENT},
                                    {"value": 1.0}]})
    yield Case("stacked", "a", None, slices=((0, 3), (1, 2), (0, 2)))
    yield Case("scale-stacked", "a", None, per_model={"scale": 0.7}, slices=((0, 2), (1, 3)), dtype="bfloat16")
    yield Case("tied", "a", None, tied="a")


METHODS = {
    "linear": list(linear()),
    "slerp": list(slerp()),
    "nuslerp": list(nuslerp()),
    "multislerp": list(multislerp()),
    "karcher": list(karcher()),
    "task_arithmetic": list(task_arithmetic()),
    "ties": list(ties()),
    "dare_ties": list(dare()),
    "dare_linear": list(dare()),
    "della": list(della()),
    "della_linear": list(della()),
    "breadcrumbs": list(breadcrumbs()),
    "breadcrumbs_ties": list(breadcrumbs()),
    "model_stock": list(model_stock()),
    "sce": list(sce()),
    "ram": list(ram()),
    "ramplus_tl": list(ramplus_tl()),
    "nearswap": list(nearswap()),
    "arcee_fusion": list(arcee_fusion()),
    "consensus_ta": list(consensus_ta()),
    "passthrough": list(passthrough()),
}
