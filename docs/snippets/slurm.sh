#!/bin/bash
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue

export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=110  # seconds of these that torchrun leaves the run

run=$SLURM_SUBMIT_DIR/runs/digits-$SLURM_JOB_ID
if [ -e "$run/run.json" ]; then
  what=(--resume "$run")
else
  what=(--recipe dcgan --out "$run")
fi
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "$SLURM_GPUS_ON_NODE" \
  --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first:29500" \
  -m gan_toolkit train "${what[@]}"
