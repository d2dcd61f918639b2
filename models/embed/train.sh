#!/bin/sh
# Owns the order of the training steps of `embed`. Leaves out what each of them does.
# sh models/embed/train.sh WORK_DIR [DATA_DIR]      (PYTHON=... picks the interpreter)
set -eu
work=$1
here=$(cd "$(dirname "$0")" && pwd)
data=${2:-$here/../../../shared/data}
py=${PYTHON:-python}
mkdir -p "$work"

"$py" -u "$here/teacher.py" --data "$data" --out "$work/teacher.npz"
"$py" -u "$here/train.py" --teacher "$work/teacher.npz" --out "$work/vectors.npz"
"$py" -u "$here/export.py" --vectors "$work/vectors.npz" --vocab "$work/vocab.txt" --out "$here"
"$py" -u "$here/evaluate.py" --data "$data" --work "$work" --write
"$py" -u "$here/make_golden.py" --data "$data"
