#!/bin/sh
# Owns the order of the training steps of `banking`. Leaves out what each of them does.
# sh models/banking/train.sh WORK_DIR ARCHIVES_DIR [DATA_DIR]      (PYTHON=... picks the interpreter)
set -eu
work=$1
archives=$2
here=$(cd "$(dirname "$0")" && pwd)
data=${3:-$here/../../../shared/data}
py=${PYTHON:-python}
mkdir -p "$work"
run() { script=$1; shift; echo "== $script $*"; "$py" -u "$here/$script.py" --data "$data" "$@"; }

run train_large --part choose --seed 1 --out "$work/first.pt"
run train_large --part choose --seed 2 --rate 3e-4 --smooth 0.1 --out "$work/second.pt"
run train_large --part choose --encoder bge-small --archives "$archives" --seed 3 --smooth 0.1 --out "$work/third.pt"
run train_large --part choose --encoder e5-small --archives "$archives" --seed 4 --smooth 0.1 --out "$work/fourth.pt"
set -- "$work/first.pt" "$work/second.pt" "$work/third.pt" "$work/fourth.pt"
run label --augmented 100000 --models "$@" --out "$work/labels-choose.npz"
run label --augmented 100000 --models "$@" --extend "$work/labels-choose.npz" --out "$work/labels-final.npz"

for part in choose final; do
  run train_base --part $part --layers 0,1,2,3,4,5 --rate 1.5e-4 --epochs 2 --teacher "$work/labels-$part.npz" --start "$work/second.pt" --out "$work/large-$part.pt"
  run train_base --part $part --teacher "$work/labels-$part.npz" --start "$work/second.pt" --out "$work/base-$part.pt"
  run train_micro --part $part --teacher "$work/labels-$part.npz" --out "$work/micro-$part.npz"
done
run export --work "$work" --out "$work/choose"
run export --work "$work" --calibration "$work/choose/calibration.json" --final large base micro --float "$work/float"
run evaluate --write --float "$work/float"
run make_golden
