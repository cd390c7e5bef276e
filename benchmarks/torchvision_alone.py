"""Import this before torchvision, beside a torch that its wheel was not built for.

It registers kernels for two operators whose schemas its compiled part would define, and fails
where that part cannot be loaded. With the schemas there it imports; fastai's loaders, for which
the benchmarks need it, do not call the operators.
"""

import torch

# Kept as long as this module: the schemas go with it.
_SCHEMAS = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _SCHEMAS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
