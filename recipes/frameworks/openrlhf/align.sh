#!/usr/bin/env bash
# OpenRLHF's GRPO, with the verdicts of `rewardanything serve` as its only reward. Further flags come last and go before these.
#
#   MODEL=Qwen/Qwen3-8B DATA=data JUDGE_URL=http://127.0.0.1:8000 recipes/frameworks/openrlhf/align.sh
#
# The server says by which principle, and how many samples a prompt has; this URL must not hold a comma.
set -euo pipefail
model=${MODEL:-Qwen/Qwen3-8B}
data=${DATA:-data}
judge=${JUDGE_URL:-http://127.0.0.1:8000}
output=${OUTPUT:-runs/openrlhf-qwen3-8b}
# Qwen3's own template with its thinking closed at once: OpenRLHF renders chat templates without settings.
template=${TEMPLATE:-$'<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n'}

exec "${PYTHON:-python3}" -m "${MODULE:-openrlhf.cli.train_ppo_ray}" \
    --actor.model_name_or_path "$model" \
    --actor.num_nodes 1 \
    --actor.num_gpus_per_node 4 \
    --ref.num_nodes 1 \
    --ref.num_gpus_per_node 4 \
    --train.colocate_all \
    --vllm.num_engines 4 \
    --vllm.tensor_parallel_size 1 \
    --vllm.gpu_memory_utilization 0.5 \
    --vllm.enable_prefix_caching \
    --vllm.enable_sleep \
    --ds.enable_sleep \
    --ds.zero_stage 3 \
    --ds.param_dtype bf16 \
    --ds.packing_samples \
    --actor.gradient_checkpointing_enable \
    --data.prompt_dataset "$data/train.jsonl" \
    --data.input_key question \
    --data.input_template "$template" \
    --data.max_len 2048 \
    --reward.remote_url "$judge/get_reward" \
    --rollout.n_samples_per_prompt 8 \
    --rollout.batch_size 32 \
    --rollout.micro_batch_size 8 \
    --rollout.max_new_tokens 1024 \
    --rollout.temperature 1.0 \
    --train.batch_size 256 \
    --train.micro_batch_size 4 \
    --train.max_epochs 1 \
    --train.num_episodes 1 \
    --algo.advantage.estimator group_norm \
    --algo.kl.use_loss \
    --algo.kl.estimator k3 \
    --algo.kl.init_coef 0.02 \
    --actor.eps_clip_low_high 0.2 0.28 \
    --actor.adam.lr 1e-6 \
    --ckpt.output_dir "$output" \
    --ckpt.path "$output/checkpoints" \
    --ckpt.save_hf \
    --ckpt.save_steps 20 \
    "$@"
