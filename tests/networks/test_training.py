"""The training loop: what it owns, and what it promises when something goes wrong."""

import math
import pickle
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from salience.networks import History, TensorBatches, fit, supervised_step
from salience.results.checksums import leave_room_in_zip, seal
from salience.stopping import Terminated


def line(slope=0.0):
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(slope)
    return model


@pytest.fixture
def data():
    x = torch.linspace(-1, 1, 40)[:, None]
    return TensorBatches(x, 3 * x, size=8)


def stepper(model, lr=0.3):
    return supervised_step(model, functional.mse_loss, torch.optim.SGD(model.parameters(), lr))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def drifting(model):
    """A step that moves the weight up by 1 and never looks at the batch."""

    class Step:
        def __init__(self):
            self.model = model

        def __call__(self, batch):
            with torch.no_grad():
                model.weight += 1
            return {"loss": model.weight.item()}

    return Step()


# ---- batches --------------------------------------------------------------------------------------------


@given(rows=st.integers(1, 60), size=st.integers(1, 70), seed=st.integers(0, 99))
def test_every_row_comes_once_an_epoch_with_its_own_target(rows, size, seed):
    x = torch.arange(rows)
    batches = list(TensorBatches(x, 10 * x, size=size).epoch(seeded(seed)))
    found = torch.cat([a for a, _ in batches])
    assert sorted(found.tolist()) == list(range(rows))
    assert all(torch.equal(b, 10 * a) for a, b in batches)
    assert [len(a) for a, _ in batches[:-1]] == [size] * (len(batches) - 1)
    assert len(batches) == len(TensorBatches(x, size=size))


def test_the_order_depends_on_the_generator_alone():
    batches = TensorBatches(torch.arange(20), size=6)
    one, two, other = ([b.tolist() for (b,) in batches.epoch(seeded(s))] for s in (1, 1, 2))
    assert one == two != other


def test_two_epochs_have_two_orders():
    batches, generator = TensorBatches(torch.arange(50), size=50), seeded()
    (first,), (second,) = next(batches.epoch(generator)), next(batches.epoch(generator))
    assert not torch.equal(first, second)


def test_an_incomplete_batch_can_be_left_out():
    batches = TensorBatches(torch.arange(10), size=4, drop_last=True)
    assert [len(b) for (b,) in batches.epoch(seeded())] == [4, 4] == [4] * len(batches)


@pytest.mark.parametrize(
    ("tensors", "size"), [((), 1), ((torch.ones(2), torch.ones(3)), 1), ((torch.ones(2),), 0)]
)
def test_tensors_that_do_not_fit_are_refused(tensors, size):
    with pytest.raises(ValueError, match=r"equal length|at least 1"):
        TensorBatches(*tensors, size=size)


# ---- the loop -------------------------------------------------------------------------------------------


def test_it_learns(data):
    model = line()
    history = fit(stepper(model), data, epochs=20, generator=seeded())
    assert model.weight.item() == pytest.approx(3.0, abs=1e-3)
    assert history["loss"][0] > history["loss"][-1]
    assert (history.stopped, history.best_epoch, len(history)) == ("epochs", 20, 20)
    assert not model.training


def test_the_same_generator_gives_the_same_weights(data):
    found = []
    for seed in (0, 0, 1):
        model = line()
        fit(stepper(model), data, epochs=2, generator=seeded(seed))
        found.append(model.weight.item())
    assert found[0] == found[1] != found[2]


def test_a_list_of_batches_will_do():
    model = line()
    fit(stepper(model), [(torch.ones(2, 1), torch.ones(2, 1))], epochs=30)
    assert model.weight.item() == pytest.approx(1.0, abs=1e-3)


def test_a_penalty_is_added_to_the_loss(data):
    model = line()
    step = supervised_step(
        model,
        functional.mse_loss,
        torch.optim.SGD(model.parameters(), 0.1),
        penalty=lambda: model.weight.sum() ** 2,
    )
    fit(step, data, epochs=30, generator=seeded())
    assert 0 < model.weight.item() < 1.5


def test_the_best_weights_by_validation_are_restored():
    model = line()
    history = fit(drifting(model), [0], epochs=9, validate=lambda: abs(model.weight.item() - 4))
    assert model.weight.item() == 4
    assert history.best_epoch == 4
    assert history["validation"] == [3, 2, 1, 0, 1, 2, 3, 4, 5]


def test_without_validation_the_last_weights_stay():
    model = line()
    assert fit(drifting(model), [0], epochs=9).best_epoch == 9
    assert model.weight.item() == 9


def test_patience_counts_epochs_without_improvement():
    model = line()
    history = fit(drifting(model), [0], epochs=99, validate=lambda: abs(model.weight.item() - 4), patience=3)
    assert (history.stopped, len(history), history.best_epoch) == ("patience", 7, 4)


def test_patience_waits_for_the_least_number_of_epochs():
    model = line()
    validate = lambda: abs(model.weight.item() - 4)  # noqa: E731
    history = fit(drifting(model), [0], epochs=99, validate=validate, patience=1, min_epochs=12)
    assert len(history) == 12


def test_validation_runs_in_evaluation_mode_without_gradients():
    model, seen = line(), []
    fit(
        drifting(model),
        [0],
        epochs=1,
        validate=lambda: seen.append((model.training, torch.is_grad_enabled())) or 0.0,
    )
    assert seen == [(False, False)]


def test_the_model_is_in_training_mode_while_it_trains():
    model, seen = line(), []

    def step(batch):
        seen.append(model.training)
        return {"loss": 0.0}

    fit(step, [0], epochs=2, validate=lambda: 0.0, model=model)
    assert seen == [True, True]


def test_what_is_done_after_an_epoch_takes_part_in_the_next():
    model, seen = line(), []

    def double(epoch, record):
        seen.append((epoch, record["loss"]))
        with torch.no_grad():
            model.weight *= 2

    fit(drifting(model), [0], epochs=3, after_epoch=[double])
    assert seen == [(1, 1.0), (2, 3.0), (3, 7.0)]


def test_a_callback_can_end_it_and_all_are_called():
    called = []
    stop = lambda epoch, record: epoch == 2  # noqa: E731
    history = fit(drifting(line()), [0], epochs=9, after_epoch=[stop, lambda epoch, _: called.append(epoch)])
    assert (history.stopped, called) == ("callback", [1, 2])


def test_the_schedule_steps_after_each_epoch(data):
    model = line()
    step = stepper(model, lr=1.0)
    fit(step, data, epochs=3, schedule=torch.optim.lr_scheduler.ExponentialLR(step.optimizer, 0.1))
    assert step.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3)


def test_progress_is_told_after_each_epoch(data):
    told = []
    fit(
        stepper(line()),
        data,
        epochs=2,
        progress=lambda epoch, epochs, record: told.append((epoch, epochs, *record)),
    )
    assert told == [(1, 2, "loss", "seconds"), (2, 2, "loss", "seconds")]


def test_several_networks_are_kept_as_a_list_of_modules():
    a, b = line(), line()

    def step(batch):
        with torch.no_grad():
            a.weight += 1
            b.weight -= 1
        return {"loss": 0.0}

    fit(step, [0], epochs=5, validate=lambda: abs(a.weight.item() - 2), model=nn.ModuleList([a, b]))
    assert (a.weight.item(), b.weight.item()) == (2, -2)


# ---- when it ends early ---------------------------------------------------------------------------------


def test_the_time_limit_ends_the_epoch_it_runs_out_in():
    model, steps = line(), []

    def step(batch):
        steps.append(batch)
        time.sleep(0.02)
        return {"loss": 1.0}

    history = fit(step, range(1000), epochs=3, model=model, time_limit=0.05)
    assert (history.stopped, len(history)) == ("time", 1)
    assert len(steps) < 1000


@pytest.mark.parametrize("where", ["loss", "validation"])
def test_a_number_that_is_not_finite_stops_it_and_restores_the_best_weights(where):
    model = line()
    inner = drifting(model)

    def step(batch):
        loss = inner(batch)["loss"]
        return {"loss": math.nan if where == "loss" and loss > 3 else loss}

    def validate():
        return math.inf if where == "validation" and model.weight.item() > 3 else -model.weight.item()

    with pytest.warns(RuntimeWarning, match=rf"{where} was (nan|inf) in epoch 4"):
        history = fit(step, [0], epochs=9, validate=validate, model=model)
    assert (history.stopped, history.best_epoch, len(history)) == ("not finite", 3, 3)
    assert model.weight.item() == 3


def test_when_the_first_epoch_is_not_finite_the_first_weights_come_back():
    model = line(slope=7)
    step = stepper(model, lr=1e30)
    with pytest.warns(RuntimeWarning, match="epoch 1"):
        history = fit(step, [(torch.full((1, 1), 1e20), torch.zeros(1, 1))] * 3, epochs=2)
    assert (history.stopped, history.best_epoch, model.weight.item()) == ("not finite", 0, 7)


def test_ctrl_c_returns_the_best_so_far():
    model = line()
    inner = drifting(model)

    def step(batch):
        if model.weight.item() == 6:
            raise KeyboardInterrupt
        return inner(batch)

    history = fit(step, [0, 0, 0], epochs=9, validate=lambda: 0.0, model=model)
    assert (history.stopped, history.best_epoch, model.weight.item()) == ("interrupted", 1, 3)


def test_ctrl_c_without_validation_returns_the_last_whole_epoch():
    model = line()
    inner = drifting(model)

    def step(batch):
        if model.weight.item() == 7:
            raise KeyboardInterrupt
        return inner(batch)

    assert fit(step, [0, 0, 0], epochs=9, model=model).stopped == "interrupted"
    assert model.weight.item() == 6


# ---- checkpoints ----------------------------------------------------------------------------------------


def test_a_resumed_run_ends_where_one_run_would_have(data, tmp_path):
    def run(epochs, **how):
        model = line()
        step = supervised_step(model, functional.mse_loss, torch.optim.Adam(model.parameters(), 0.05))
        schedule = torch.optim.lr_scheduler.ExponentialLR(step.optimizer, 0.9)
        validate = lambda: (model.weight.item() - 1) ** 2  # noqa: E731
        history = fit(
            step, data, epochs=epochs, generator=seeded(), schedule=schedule, validate=validate, **how
        )
        return model.weight.item(), history

    weight, history = run(12)
    run(5, checkpoints=tmp_path)
    again, resumed = run(12, checkpoints=tmp_path, resume=True)
    assert again == weight
    assert resumed["loss"] == history["loss"]
    assert resumed.best_epoch == history.best_epoch


def test_the_last_two_checkpoints_are_kept_and_hold_no_code(data, tmp_path):
    fit(stepper(line()), data, epochs=5, checkpoints=tmp_path, generator=seeded())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-00004.pt", "epoch-00005.pt"]
    assert torch.load(tmp_path / "epoch-00005.pt", weights_only=True)["records"][0].keys() == {
        "loss",
        "seconds",
    }


def test_a_checkpoint_with_code_in_it_is_refused(data, tmp_path):
    path = tmp_path / "epoch-00001.pt"
    torch.save({"model": print}, path)
    leave_room_in_zip(path)
    seal(path)  # whoever puts code in can write a checksum as well
    with pytest.raises(pickle.UnpicklingError):
        fit(stepper(line()), data, epochs=2, checkpoints=tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_taken(data, tmp_path):
    fit(stepper(line()), data, epochs=2, checkpoints=tmp_path)
    last = tmp_path / "epoch-00002.pt"
    whole = last.read_bytes()
    for place in range(0, len(whole), 97):
        last.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"epoch-00002\.pt .*; remove it to go on"):
            fit(stepper(line()), data, epochs=3, checkpoints=tmp_path, resume=True)
    last.unlink()
    assert len(fit(stepper(line()), data, epochs=3, checkpoints=tmp_path, resume=True)) == 3


def test_sigterm_does_not_wait_for_what_was_to_be_done_with_the_model(data, tmp_path):
    def stop(epoch, record):
        raise Terminated

    with pytest.raises(Terminated):
        fit(stepper(line()), data, epochs=3, checkpoints=tmp_path, after_epoch=[stop])


def test_resuming_without_a_checkpoint_starts_anew(data, tmp_path):
    assert len(fit(stepper(line()), data, epochs=2, checkpoints=tmp_path / "none", resume=True)) == 2


def test_resuming_a_finished_run_does_nothing(data, tmp_path):
    fit(stepper(line()), data, epochs=2, checkpoints=tmp_path)
    model = line()
    fit(stepper(model), data, epochs=2, checkpoints=tmp_path, resume=True)
    assert model.weight.item() != 0


# ---- the door -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epochs": 1, "patience": 2}, "give validate"),
        ({"epochs": 1, "patience": 0, "validate": lambda: 0.0}, "patience must be at least 1"),
        ({"epochs": 1, "min_epochs": -1}, "min_epochs must be at least 0"),
        ({"epochs": 1, "time_limit": 0.0}, "positive number of seconds"),
    ],
)
def test_a_wrong_number_is_refused(data, how, message):
    with pytest.raises(ValueError, match=message):
        fit(stepper(line()), data, **how)


@pytest.mark.parametrize("batches", [[], iter([0])])
def test_an_epoch_without_a_batch_is_an_error_that_says_why(batches):
    with pytest.raises(ValueError, match="an epoch had no batch"):
        fit(drifting(line()), batches, epochs=2)


def test_a_history_gives_a_measure_over_the_epochs():
    history = History([{"loss": 2.0}, {"loss": 1.0}])
    assert history["loss"] == [2.0, 1.0]
    with pytest.raises(KeyError):
        history["accuracy"]
