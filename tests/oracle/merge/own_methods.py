"""Methods of this engine that mergekit lacks, written once more, plainly, as mergekit extensions.

register() makes mergekit run them on whole models like its own.
"""
import torch
from mergekit import merge_methods
from mergekit.merge_methods.base import (BasePolicy, FunctionalGroupMergeMethod, InputContract, MergeMethodSpec,
                                         ParameterScope, ParameterSpec)


def consensus_ta(group, weight, mask_threshold, least_masks, **rest):
    """Wang et al. 2024, arXiv:2405.07813: the sum of differences where at least k TALL masks are set."""
    base, entries = group.base.tensor, group.non_base
    vectors = torch.stack([(x.tensor - base) * w for x, w in zip(entries, weight.values_for(entries))])
    merged = vectors.sum(dim=0)
    masks = sum((v.abs() >= (merged - v).abs() * threshold).int()
                for v, threshold in zip(vectors, mask_threshold.values_for(entries)))
    return base + torch.where(masks >= least_masks, merged, 0) * rest["lambda"]


def register():
    if "consensus_ta" in {method.spec.name for method in merge_methods.registered_methods()}:
        return
    spec = MergeMethodSpec(
        name="consensus_ta", contract=InputContract(base=BasePolicy.REQUIRED),
        parameters=(ParameterSpec("weight", float, ParameterScope.NON_BASE, default=1.0),
                    ParameterSpec("mask_threshold", float, ParameterScope.NON_BASE, default=0.4),
                    ParameterSpec("least_masks", float, ParameterScope.SHARED, default=2.0),
                    ParameterSpec("lambda", float, ParameterScope.SHARED, default=1.0)))
    merge_methods.register(FunctionalGroupMergeMethod(spec, consensus_ta))
