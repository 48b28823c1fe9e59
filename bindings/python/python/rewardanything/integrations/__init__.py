"""Rewards for training frameworks, one module for each: `trl`, `verl`, `openrlhf`, `slime`.

None of them imports its framework before the framework calls it. `rewardanything.group_rewards` is what they share, for
any other.
"""
