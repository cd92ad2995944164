#!/usr/bin/env bash
# All that needs a GPU, in one command: the tests of the compiled kernels, their figures, and a longer training of the
# paper's encoder. Results are left in a folder; each part goes on when one before it has failed.
#
#     bash plugins/qdynbench-sru/benchmarks/on_gpu.sh RESULTS [PART...]        parts: tests kernels training
set -uo pipefail
results=${1:?usage: on_gpu.sh RESULTS [tests] [kernels] [training]}
shift
parts=${*:-tests kernels training}
cd "$(dirname "$0")/../../.."
mkdir -p "$results"

for part in $parts; do
    case $part in
        tests) pytest kernels/sru-kernels/tests plugins/qdynbench-sru/tests -m gpu 2>&1 | tee "$results/tests.txt" ;;
        kernels) qdynbench sru kernels --device cuda --compiled --out "$results/kernels.md" 2>&1 | tee "$results/kernels.txt" ;;
        training)
            qdynbench sru ship tasks/paper/fig4.yaml --encoder padded --with largest=8 --with width=256 \
                --with effort=5 --name paper-padded-long --device cuda 2>&1 | tee "$results/training.txt"
            cp -r plugins/qdynbench-sru/qdynbench_sru/weights/paper-padded-long "$results/"
            ;;
        *) echo "unknown part $part; there are tests, kernels and training" >&2 && exit 2 ;;
    esac
done
