"""Digits training: the ensemble from labels, then base and micro distilled from it on augmented images.

Owns hyperparameters and seeds. Writes checkpoints to --work; export.py turns them into committed files.
Run: python models/digits/train.py --data ../shared/data --work WORK_DIR [stages, all by default]
"""

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import data
import nets

MEMBERS = {"member-3": (3, 11), "member-5": (5, 12), "member-7": (7, 13)}
MEMBER_EPOCHS, BATCH = 30, 128
# After distillation the members and base go on from where they are, at a lower rate; members with milder augmentation.
POLISH_EPOCHS, POLISH_PASSES, POLISH_RATE, POLISH_STRENGTH = 12, 3, 1e-3, 0.7
POOL_COPIES, POOL_SEED = 24, 77
STUDENT_TEMPERATURE, STUDENT_BATCH = 2.0, 256
# Passes over the pool, peak learning rate, seed.
STUDENTS = {"base": (nets.base, 3, 3e-3, 21), "micro": (nets.micro, 24, 4e-3, 22)}
POLISHED = ["polished-base", *(f"polished-{name}" for name in MEMBERS)]


def accuracy(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    return (logits_of(model, x).argmax(1) == y).float().mean().item()


def logits_of(model: torch.nn.Module, x: torch.Tensor, fast: bool = False) -> torch.Tensor:
    model.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=fast):
        return torch.cat([model(part).float() for part in x.split(500)])


def fit(model, steps, learning_rate, batches, loss_of, label, check) -> torch.nn.Module:
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.15)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    started, running = time.time(), 0.0
    for step, batch in enumerate(batches):
        model.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(batch[0])
        loss = loss_of(logits.float(), *batch[1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
        running = 0.98 * running + 0.02 * loss.item()
        if (step + 1) % max(1, steps // 12) == 0:
            print(f"{label} {step + 1}/{steps} loss {running:.4f} choose {check(average.module):.4f} "
                  f"{time.time() - started:.0f}s", flush=True)
    return average.module.eval()


def member_batches(x, y, epochs, strength, generator):
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            yield data.augment(x[rows], generator, strength), y[rows]


def pool_batches(pool, passes, generator):
    for _ in range(passes):
        for rows in torch.randperm(len(pool["images"]), generator=generator).split(STUDENT_BATCH):
            yield pool["images"][rows].float().div_(255), pool["logits"][rows].float(), pool["labels"][rows]


def distil_loss(logits, teacher, labels):
    t = STUDENT_TEMPERATURE
    soft = F.kl_div(F.log_softmax(logits / t, 1), F.softmax(teacher / t, 1), reduction="batchmean") * t * t
    return 0.9 * soft + 0.1 * F.cross_entropy(logits, labels)


def ensemble(work: Path, prefix: str = "") -> nets.Ensemble:
    members = []
    for name, (kernel, _) in MEMBERS.items():
        one = nets.member(kernel)
        one.load_state_dict(torch.load(work / f"{prefix}{name}.pt"))
        members.append(one.eval())
    return nets.Ensemble(members).eval()


def make_pool(x, y, teacher) -> dict[str, torch.Tensor]:
    """Copies of the training images, the first as it is, the rest augmented, with the teacher's logits."""
    generator = torch.Generator().manual_seed(POOL_SEED)
    images = torch.cat([x, *(data.augment(x, generator) for _ in range(POOL_COPIES - 1))]).mul(255).round().byte()
    logits = torch.cat([logits_of(teacher, part.float() / 255, fast=True) for part in images.split(5000)])
    return {"images": images, "logits": logits.half(), "labels": y.repeat(POOL_COPIES)}


def describe(name: str) -> str:
    """The card's words on how a variant was trained."""
    augmented = "random rotation, scale, shear, shift and elastic displacement of the training images"
    common = "AdamW, weight decay 0.02, one-cycle learning rate, averaged weights (0.998)"
    if name == "large":
        seeds = ", ".join(str(seed) for _, seed in MEMBERS.values())
        return (f"three CNNs with kernels 3, 5 and 7, {MEMBER_EPOCHS} epochs from labels on {augmented}; "
                f"then {POLISH_EPOCHS} more at peak {POLISH_RATE} with {POLISH_STRENGTH} of it; {common}, peak 0.003, batch {BATCH}, seeds {seeds}; logits are the mean log-probability")
    _, passes, rate, seed = STUDENTS[name]
    polished = f", then {POLISH_PASSES} more passes at peak {POLISH_RATE}" if name == "base" else ""
    return (f"distilled from the ensemble of large (before its last {POLISH_EPOCHS} epochs) at temperature {STUDENT_TEMPERATURE}: {passes} passes over {POOL_COPIES} copies of the training "
            f"images ({augmented}), 0.9 soft + 0.1 labels; {common}, peak {rate}, batch {STUDENT_BATCH}, seed {seed}{polished}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("stages", nargs="*", default=[*MEMBERS, "pool", *STUDENTS, *POLISHED])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    images, labels = data.load(options.data)
    x, y = images[data.TRAIN], labels[data.TRAIN]

    def check(model: torch.nn.Module) -> float:
        return accuracy(model, images[data.CHOOSE], labels[data.CHOOSE])

    for stage in options.stages:
        name = stage.removeprefix("polished-")
        polish = name != stage
        if stage == "pool":
            teacher = ensemble(options.work)
            print(f"ensemble choose {check(teacher):.4f}", flush=True)
            torch.save(make_pool(x, y, teacher), options.work / "pool.pt")
            continue
        seed = (MEMBERS[name] if name in MEMBERS else STUDENTS[name])[-1] + (100 if polish else 0)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        if name in MEMBERS:
            model, loss = nets.member(MEMBERS[name][0]), F.cross_entropy
            epochs, rate, strength = (POLISH_EPOCHS, POLISH_RATE, POLISH_STRENGTH) if polish else (MEMBER_EPOCHS, 3e-3, 1.0)
            batches, steps = member_batches(x, y, epochs, strength, generator), epochs * -(-len(x) // BATCH)
        else:
            build, passes, rate, _ = STUDENTS[name]
            passes, rate = (POLISH_PASSES, POLISH_RATE) if polish else (passes, rate)
            pool = torch.load(options.work / "pool.pt")
            model, loss = build(), distil_loss
            batches, steps = pool_batches(pool, passes, generator), passes * -(-len(pool["images"]) // STUDENT_BATCH)
        if polish:
            model.load_state_dict(torch.load(options.work / f"{name}.pt"))
        model = fit(model, steps, rate, batches, loss, stage, check)
        torch.save(model.state_dict(), options.work / f"{stage}.pt")


if __name__ == "__main__":
    main()
