#!/bin/sh
# Owns the order of the training steps of `intent`. Leaves out what each of them does.
# sh models/intent/train.sh WORK_DIR [DATA_DIR]      (PYTHON=... picks the interpreter)
set -eu
work=$1
here=$(cd "$(dirname "$0")" && pwd)
data=${2:-$here/../../../shared/data}
py=${PYTHON:-python}
mkdir -p "$work"
run() { script=$1; shift; echo "== $script $*"; "$py" -u "$here/$script.py" --data "$data" "$@"; }

run train_large --part choose --seed 1 --out "$work/large-choose.pt"
run train_large --part choose --seed 2 --rate 1.2e-4 --out "$work/second-choose.pt"
run label --models "$work/large-choose.pt" "$work/second-choose.pt" --out "$work/labels-choose.npz"
run label --models "$work/large-choose.pt" "$work/second-choose.pt" --extend "$work/labels-choose.npz" --out "$work/labels-final.npz"
run train_base --part choose --teacher "$work/labels-choose.npz" --start "$work/large-choose.pt" --out "$work/base-choose.pt"
run train_micro --part choose --teacher "$work/labels-choose.npz" --out "$work/micro-choose.npz"
run export --work "$work" --out "$work/choose"

run train_large --part final --seed 11 --out "$work/large-final.pt"
run train_base --part final --teacher "$work/labels-final.npz" --start "$work/large-final.pt" --out "$work/base-final.pt"
run train_micro --part final --teacher "$work/labels-final.npz" --out "$work/micro-final.npz"
run export --work "$work" --calibration "$work/choose/calibration.json" --final large base micro --float "$work/float"
"$py" "$here/evaluate.py" --write --float "$work/float"
"$py" "$here/make_golden.py"
