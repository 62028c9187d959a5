"""How batches of a model form that a deployment says something about."""

from dataclasses import replace

from penstock.core.batcher import BatchPolicy
from penstock.schemas.control.specs import Batching


def policy_of(own: Batching, base: BatchPolicy) -> BatchPolicy:
    """Return the policy of a model: as its deployment says, else as the settings do.

    Args:
        own: what the deployment says; None of it leaves it to the settings.
        base: what the settings say.
    """
    policy = base
    if own.max_rows is not None:  # who names a bound means it, also of a quick model
        policy = replace(policy, max_rows=own.max_rows, quick_rows=0)
    if own.max_delay_s is not None:
        policy = replace(policy, max_delay_s=own.max_delay_s)
    return policy
