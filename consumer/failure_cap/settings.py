"""The settings of the cap on failures, a part of the worker's section."""

from pydantic import BaseModel, Field

from penstock.consumer.failure_cap.cap import CapPolicy


class FailureCapSettings(BaseModel):
    """When a worker stops taking requests because nearly all of them fail."""

    failure_cap_ratio: float = Field(
        default=0.9,
        ge=0.0,
        le=1.0,
        description="Share of a model's last requests that fail by the service's fault, above which nothing is taken.",
    )
    failure_cap_window: int = Field(
        default=1000, ge=1, le=1_000_000, description="How many of a model's last requests that is a share of."
    )
    failure_cap_run: int = Field(
        default=0, ge=0, description="Such failures of a model in a row after which nothing is taken; 0 is no bound."
    )
    failure_cap_retry_s: float = Field(
        default=10.0,
        ge=0.1,
        le=3600.0,
        description="Seconds until a few requests are let through to try; twice as long each time that they fail too.",
    )

    def cap_policy(self) -> CapPolicy:
        """Return when to stop."""
        return CapPolicy(
            ratio=self.failure_cap_ratio,
            window=self.failure_cap_window,
            run=self.failure_cap_run,
            retry_s=self.failure_cap_retry_s,
        )
