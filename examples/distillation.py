"""
Ten images per class
====================

A thousand images of digits among clutter become a hundred. A network that was trained on all of them chooses crops, keeps
the pixels it recognises the class by, and rewrites the others until it is sure. What that is worth, only another network
can say.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional

from salience.instances import DBRStore, ImageViews, NRRDistiller, train_student
from salience.networks import TensorBatches, fit, small_convnet, supervised_step

torch.set_num_threads(1)


def network(seed, widths=(16, 32, 32)):
    return small_convnet(10, widths=widths, generator=torch.Generator().manual_seed(seed))


def accuracy(net, images, labels):
    with torch.no_grad():
        return (net(images).argmax(1) == labels).float().mean().item()


# %%
# Digits of 8 x 8 pixels at random places of noisy canvases of 16 x 16.
rng = np.random.default_rng(0)
digits, classes = load_digits(return_X_y=True)
canvas = rng.uniform(0, 0.35, (len(digits), 1, 16, 16)).astype(np.float32)
for image, digit, (top, left) in zip(canvas, digits, rng.integers(0, 9, (len(digits), 2)), strict=True):
    image[0, top : top + 8, left : left + 8] = digit.reshape(8, 8) / 16
images, labels = torch.from_numpy(canvas), torch.from_numpy(classes)
train, test = slice(0, 1200), slice(1200, None)

# %%
# The teacher, and a second network with no part in distilling.
teacher, second = network(0), network(1, widths=(16, 24, 48))
for net in (teacher, second):
    step = supervised_step(net, functional.cross_entropy, torch.optim.AdamW(net.parameters(), 5e-3))
    fit(
        step,
        TensorBatches(images[train], labels[train]),
        epochs=12,
        generator=torch.Generator().manual_seed(0),
    )
print(f"teacher {accuracy(teacher, images[test], labels[test]):.2f} on test images")

distiller = NRRDistiller(teacher, ipc=10, crop_scale=(0.5, 1.0), random_state=0)
distiller.fit(images[train], labels[train])
sure = f"{distiller.confidence_before_.mean():.2f} before, {distiller.confidence_after_.mean():.2f} after refinement"
print(f"the teacher's probability of the class: {sure}")
check = distiller.cross_check(second)
print(f"a second network is right about {check.before:.2f} before, {check.after:.2f} after")

# %%
# Students learn from these images, and from what the teacher said of each view of them: two numbers, a probability for every
# class, or nothing beyond the label. As many real images, drawn blindly, are the baseline.
views = ImageViews(flip=False, shift=2)
drawn = np.concatenate(
    [rng.choice(np.flatnonzero(classes[train] == label), 10, replace=False) for label in range(10)]
)
sets = {"random real": (images[drawn], labels[drawn]), "distilled": (distiller.images_, distiller.labels_)}
for name, made in sets.items():
    store = DBRStore.build(teacher, *made, views=40, augment=views)
    for mode, how in {
        "onehot": {},
        "dbr": {"store": store},
        "soft": {"teacher": teacher, "tau": 1.0},
    }.items():
        student = train_student(
            network(2), *made, mode, augment=views, epochs=40, lr=5e-3, batch_size=25, **how
        )
        print(
            f"{name:12} {mode:7} student {accuracy(student, images[test], labels[test]):.2f} on test images"
        )
print(f"the teacher's answers: {store.nbytes:,} bytes, as soft labels {store.nbytes * 10 // 2:,}")

# %%
# Inside the orange line pixels had to stay. The second network had no part in rewriting the others.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.9), layout="constrained", width_ratios=(2.6, 1))
distiller.plot_mosaic(ax=left)
share = np.linspace(0, 1, len(distiller.labels_))
stages = {"before": distiller.originals_, "after": distiller.images_}
for net, colour, name in ((teacher, "#0072B2", "teacher"), (second, "#D55E00", "second network")):
    for when, style in (("before", ":"), ("after", "-")):
        with torch.no_grad():
            probability = net(stages[when]).softmax(1).gather(1, distiller.labels_[:, None])[:, 0]
        right.plot(share, probability.sort().values, style, color=colour, lw=1.6, label=f"{name}, {when}")
right.set(xlabel="share of the 100 images", xlim=(0, 1), ylim=(0, 1.03))
right.set_title("probability of the own class", loc="left", fontsize=10)
right.legend(frameon=False, fontsize=8, loc="lower right")
right.spines[["top", "right"]].set_visible(False)

# The picture of the documentation: python examples/distillation.py docs/_static/distillation.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=78, pil_kwargs={"optimize": True})
