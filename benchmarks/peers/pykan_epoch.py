"""The side of pykan: outputs of a network with given weights, losses of an epoch of Adam, processor seconds of more epochs.

Arguments: grid, order, batch size, how many epochs to time, and "plain", or "quick": no symbolic branch, nothing recorded.
"""

import json
import sys
import time

import numpy as np
import torch

from kan import KAN

with np.load(sys.argv[1]) as given:
    arrays = {name: torch.tensor(given[name]) for name in given.files}
X, y, order = arrays["X"], arrays["y"], arrays["order"]
grid, k, size, epochs = map(int, sys.argv[2:6])
classes = not y.is_floating_point()
loss_of = torch.nn.functional.cross_entropy if classes else torch.nn.functional.mse_loss
width = [X.shape[1], *(arrays[f"base{i}"].shape[0] for i in range(2))]
model = KAN(width=width, grid=grid, k=k, auto_save=False, device="cpu")
if sys.argv[6] == "quick":
    model.speed()
with torch.no_grad():
    for i, layer in enumerate(model.act_fun):
        layer.grid.copy_(arrays[f"knots{i}"])
        layer.coef.copy_(arrays[f"coef{i}"].permute(1, 0, 2))
        layer.scale_base.copy_(arrays[f"base{i}"].T)
        layer.scale_sp.copy_(arrays[f"scale{i}"].T)
    outputs = model(X).detach().numpy()
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-3, fused=True)


def epoch():
    losses = []
    for rows in order.split(size):
        loss = loss_of(model(X[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


losses = epoch()
times = []
for _ in range(epochs):
    start = time.process_time()
    epoch()
    times.append(time.process_time() - start)
print(json.dumps({"outputs": outputs.tolist(), "losses": losses, "seconds": sorted(times)[len(times) // 2]}))
