#!/usr/bin/env bash
# verl's GRPO, with the verdicts of `rewardanything serve` as its only reward. Further settings come last and go before these.
#
#   MODEL=Qwen/Qwen3-8B DATA=data JUDGE_URL=http://127.0.0.1:8000 recipes/frameworks/verl/align.sh
set -euo pipefail
model=${MODEL:-Qwen/Qwen3-8B}
data=${DATA:-data}
judge=${JUDGE_URL:-http://127.0.0.1:8000}
output=${OUTPUT:-runs/verl-qwen3-8b}

exec "${PYTHON:-python3}" -m "${MODULE:-verl.trainer.main_ppo}" \
    algorithm.adv_estimator=grpo \
    algorithm.use_kl_in_reward=False \
    algorithm.norm_adv_by_std_in_grpo=True \
    data.train_files="$data/train.jsonl" \
    data.val_files="$data/held-out.jsonl" \
    data.train_batch_size=32 \
    data.max_prompt_length=1024 \
    data.max_response_length=1024 \
    data.filter_overlong_prompts=True \
    data.return_raw_chat=True \
    +data.apply_chat_template_kwargs.enable_thinking=False \
    actor_rollout_ref.model.path="$model" \
    actor_rollout_ref.model.use_remove_padding=True \
    actor_rollout_ref.model.enable_gradient_checkpointing=True \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.optim.lr_warmup_steps=5 \
    actor_rollout_ref.actor.ppo_mini_batch_size=32 \
    actor_rollout_ref.actor.ppo_epochs=1 \
    actor_rollout_ref.actor.use_dynamic_bsz=True \
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu=16384 \
    actor_rollout_ref.actor.clip_ratio_low=0.2 \
    actor_rollout_ref.actor.clip_ratio_high=0.28 \
    actor_rollout_ref.actor.use_kl_loss=True \
    actor_rollout_ref.actor.kl_loss_coef=0.02 \
    actor_rollout_ref.actor.kl_loss_type=low_var_kl \
    actor_rollout_ref.actor.entropy_coeff=0 \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.n=8 \
    actor_rollout_ref.rollout.temperature=1.0 \
    actor_rollout_ref.rollout.tensor_model_parallel_size=1 \
    actor_rollout_ref.rollout.gpu_memory_utilization=0.5 \
    reward.num_workers=8 \
    reward.reward_manager.source=importlib \
    reward.reward_manager.name=RewardAnythingManager \
    reward.reward_manager.module.path=pkg://rewardanything.integrations.verl \
    +reward.custom_reward_function.reward_kwargs.base_url="$judge" \
    +reward.custom_reward_function.reward_kwargs.reward=soft \
    +reward.custom_reward_function.reward_kwargs.timeout=300 \
    trainer.n_gpus_per_node=4 \
    trainer.nnodes=1 \
    trainer.total_epochs=1 \
    trainer.val_before_train=False \
    trainer.test_freq=-1 \
    trainer.save_freq=20 \
    trainer.logger='["console"]' \
    trainer.project_name=rewardanything \
    trainer.experiment_name=qwen3-8b \
    trainer.default_local_dir="$output" \
    "$@"
